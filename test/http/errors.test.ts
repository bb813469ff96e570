import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import { useVault } from '../support/vault.ts'

const { vault } = useVault()

beforeEach(async () => {
  await vault.call('DELETE', '/v1/tokens?all=true')
})

const ROUTES = [
  ['POST', '/v1/tokens/find'],
  ['GET', '/v1/tokens/a'],
  ['POST', '/v1/tokens'],
  ['DELETE', '/v1/tokens/a'],
  ['GET', '/v1/tokens'],
  ['DELETE', '/v1/tokens?all=true'],
  ['GET', '/v1/tokens/a/access-token'],
  ['POST', '/v1/access-token'],
  ['POST', '/v1/tokens/a/refresh'],
  ['POST', '/v1/tokens/exchange'],
  ['POST', '/v1/tokens/a/revoke'],
] as const

describe('without a valid key', () => {
  const secret = randomBytes(32).toString('base64url')

  test('every form of a wrong one gets the same answer', async () => {
    const answers = []
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      'Bearer x',
      `Bearer tv_bootstrap_${secret}`,
      `Bearer tv_unknown_${secret}`,
      `Bearer tv_B_${secret}`,
      `Bearer ${vault.key}x`,
      `Bearer ${vault.key.slice(0, -1)}`,
      `Bearer ${vault.key} ${vault.key}`,
      `Basic ${Buffer.from(`a:${vault.key}`).toString('base64')}`,
      vault.key,
      `Token ${vault.key}`,
      `Bearer ${'x'.repeat(8000)}`,
      'Bearer é',
    ]) {
      answers.push(await vault.call('GET', '/v1/tokens', undefined, { authorization }))
    }
    const raw = await sendRaw(vault.url, rawRequest(['GET /v1/tokens HTTP/1.1']))
    expect(parseRaw(raw)).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
    for (const { status, headers, body } of answers) {
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect({ ...body, request_id: '' }).toEqual({ ...answers[0]?.body, request_id: '' })
    }
    expect(new Set(answers.map(({ body }) => body.request_id)).size).toBe(answers.length)
  })

  test.each(ROUTES)('%s %s is refused', async (method, path) => {
    await vault.save({ id: 'a', access_token: 't' })
    const { status, body } = await vault.call(method, path, undefined, { authorization: 'Bearer x' })
    expect([status, body.code]).toEqual([401, 'unauthorized'])
    expect((await vault.call('GET', '/v1/tokens/a')).status).toBe(200)
  })

  test('the body is not even read', async () => {
    const { status } = await vault.call('POST', '/v1/tokens', '{ not JSON', { authorization: 'Bearer x' })
    expect(status).toBe(401)
  })

  test('the scheme is taken in any case', async () => {
    const { status } = await vault.call('GET', '/v1/tokens', undefined, {
      authorization: `bEARER  ${vault.key}`,
    })
    expect(status).toBe(200)
  })

  test.each(['/healthz', '/readyz', '/openapi.json', '/docs/'])('%s is answered', async (path) => {
    expect((await vault.call('GET', path, undefined, { authorization: '' })).status).toBe(200)
  })
})

describe('every answer under /v1', () => {
  test('is kept by no cache, and bears an id of its own', async () => {
    await vault.save({ id: 'a', access_token: 't' })
    const answers = [
      ...(await Promise.all(ROUTES.map(([method, path]) => vault.call(method, path)))),
      await vault.save({ access_token: 'new' }),
      await vault.call('GET', '/v1/unknown'),
      await vault.call('PUT', '/v1/tokens', {}),
      await vault.call('GET', '/v1/tokens/%zz'),
      await vault.call('GET', '/v1/tokens', undefined, { authorization: '', 'x-request-id': 'mine' }),
      await vault.save('{'),
    ]
    for (const { headers } of answers) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(answers.length)
  })

  test('that is an error is a problem document with the id of the answer', async () => {
    for (const { status, headers, body } of [
      await vault.call('GET', '/v1/tokens/unknown'),
      await vault.call('GET', '/v1/unknown'),
      await vault.call('PUT', '/v1/tokens'),
      await vault.save({ surprise: 1 }),
      await vault.save({}),
    ]) {
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(body).toMatchObject({
        type: `urn:token-vault:problem:${body.code}`,
        title: expect.stringMatching(/./) as string,
        detail: expect.stringMatching(/./) as string,
        status,
        request_id: headers.get('x-request-id'),
      })
    }
  })
})

describe('an unknown', () => {
  test.each([
    '/',
    '/v1',
    '/v1/',
    '/v2/tokens',
    '/v1/tokens/a/b',
    '/v1/tokens/find/x',
    '/v1/tokens/',
    '/v1/tokens/?limit=1',
    '/v1/tokens//access-token',
    '/v1/keys/',
    '//v1/tokens',
    '/V1/tokens',
  ])('route %s is not found', async (path) => {
    const { status, body } = await vault.call('GET', path)
    expect([status, body.code]).toEqual([404, 'not_found'])
    expect(body.errors).toEqual([{ pointer: '', detail: 'is no route of the vault (path)' }])
  })

  test.each([
    ['/v1/tokens/find', 'POST, GET, HEAD, DELETE'],
    ['/v1/tokens', 'POST, GET, HEAD, DELETE'],
    ['/v1/tokens/a/access-token', 'GET, HEAD'],
    ['/v1/tokens/a/refresh', 'POST'],
    ['/v1/tokens/exchange', 'POST, GET, HEAD, DELETE'],
    ['/v1/tokens/a/revoke', 'POST'],
    ['/v1/access-token', 'POST'],
    ['/healthz', 'GET, HEAD'],
    ['/v1/%61ccess%2Dtoken?x#y', 'POST'],
  ])('method at %s is told those that there are', async (path, allow) => {
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'PROPFIND', 'PURGE', 'QUERY', 'LINK']) {
      const { status, headers, body } = await vault.call(method, path)
      expect([method, status, body.code]).toEqual([method, 405, 'method_not_allowed'])
      expect(headers.get('allow')?.split(', ').toSorted()).toEqual(allow.split(', ').toSorted())
    }
  })

  test('method that HTTP does not know is a bad request', async () => {
    const { status, head, body } = parseRaw(
      await sendRaw(vault.url, rawRequest(['BREW /v1/tokens HTTP/1.1'])),
    )
    expect([status, body['code']]).toEqual([400, 'invalid_request'])
    expect(head.toLowerCase()).toContain('cache-control: no-store')
    expect(head.toLowerCase()).toContain('x-request-id: ')
  })
})

describe('the body', () => {
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonp',
    'text/json',
    'application/octet-stream',
  ])('as %s is an unsupported media type', async (type) => {
    for (const path of ['/v1/tokens', '/v1/tokens/find', '/v1/access-token']) {
      const { status, body } = await vault.call('POST', path, '{"access_token":"t"}', {
        'content-type': type,
      })
      expect([status, body.code]).toEqual([415, 'unsupported_media_type'])
    }
    expect((await vault.call('GET', '/v1/tokens')).body.tokens).toEqual([])
  })

  test('as JSON is welcome with a charset', async () => {
    const type = { 'content-type': 'Application/JSON; charset=UTF-8' }
    expect((await vault.save({ access_token: 't' }, type)).status).toBe(201)
  })

  test('holds 64 KiB and not a byte more', async () => {
    const padded = (size: number) => '{"access_token":"t"}'.padEnd(size, ' ')
    expect((await vault.save(padded(65_536))).status).toBe(201)
    const { status, body } = await vault.save(padded(65_537))
    expect([status, body.code]).toEqual([413, 'payload_too_large'])
    expect((await vault.save(padded(10_000_000))).status).toBe(413)
  })

  test.each([
    ['GET', '/v1/tokens/a'],
    ['GET', '/v1/tokens'],
    ['DELETE', '/v1/tokens/a'],
    ['DELETE', '/v1/tokens?client_id=x'],
    ['POST', '/v1/tokens/a/refresh'],
    ['GET', '/v1/keys'],
  ])('sent to %s %s, which takes none, is refused unless it is empty', async (method, path) => {
    const send = async (body: string) => {
      const lines = [`${method} ${path} HTTP/1.1`, `Authorization: Bearer ${vault.key}`]
      const typed = [...lines, 'Content-Type: application/json', `Content-Length: ${body.length}`]
      return parseRaw(await sendRaw(vault.url, rawRequest(typed, body)))
    }
    for (const body of ['{"min_ttl":60}', '7', `${'['.repeat(9000)}${']'.repeat(9000)}`]) {
      expect(await send(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    }
    const { status } = await send('')
    expect(status).not.toBe(400)
    if (method !== 'GET') expect((await send('{}')).status).toBe(status)
  })

  test('in chunks is held to the same size', async () => {
    const chunk = `${(9999).toString(16)}\r\n${' '.repeat(9999)}\r\n`
    const request = rawRequest(
      [
        'POST /v1/tokens HTTP/1.1',
        `Authorization: Bearer ${vault.key}`,
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
      ],
      `${chunk.repeat(8)}0\r\n\r\n`,
    )
    expect(parseRaw(await sendRaw(vault.url, request))).toMatchObject({ status: 413 })
  })
})

describe('If-Match', () => {
  const ifMatch = (tag: string, body: object = { id: 'a', scope: 'x' }) =>
    vault.save(body, { 'if-match': tag })

  beforeEach(async () => {
    await vault.save({ id: 'a', access_token: 't' })
    await vault.save({ id: 'a', scope: 'second' })
  })

  test.each(['"2"', '*', '"1", "2"', ' "2" '])('%s lets a save of version 2 pass', async (tag) => {
    const { status, headers } = await ifMatch(tag)
    expect([status, headers.get('etag')]).toEqual([200, '"3"'])
  })

  test.each(['"1"', '"3"', '"x"', '""', '"0x2"', '"2.0"', '" 2"', '"1", "3"'])(
    '%s stops a save of version 2',
    async (tag) => {
      const { status, body } = await ifMatch(tag)
      expect([status, body.code]).toEqual([412, 'version_mismatch'])
      expect((await vault.call('GET', '/v1/tokens/a')).body).toMatchObject({ version: 2, scope: 'second' })
    },
  )

  test.each(['"1"', '*'])('%s stops a save that would make a new token', async (tag) => {
    const { status, body } = await ifMatch(tag, { access_token: 'new' })
    expect([status, body.code]).toEqual([412, 'version_mismatch'])
    expect((await vault.call('GET', '/v1/tokens')).body.tokens).toHaveLength(1)
  })

  test.each(['2', 'x', '"2', '"1" "2"', ','])('%s is malformed', async (tag) => {
    const { status, body } = await ifMatch(tag)
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/if-match'])
  })

  test('lets one of several savers pass who all saw the same version', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ifMatch('"2"', { id: 'a', scope: `scope ${index}` })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...answers.slice(1).map(() => 412)])
  })
})

test('an api_domain that no data centre has is refused with a list of those that do', async () => {
  const { status, body } = await vault.save({ access_token: 't', api_domain: 'https://evil.example' })
  expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid_request', '/api_domain'])
  expect(body.errors?.[0]?.detail).toContain('https://www.zohoapis.eu')
  expect((await vault.call('GET', '/v1/tokens')).body.tokens).toEqual([])
})

import { describe, expect, test } from 'vitest'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import { useVault } from '../support/vault.ts'

const { vault } = useVault()

describe('an id in a path', () => {
  const raw = async (path: string, method = 'GET') =>
    parseRaw(
      await sendRaw(
        vault.url,
        rawRequest([`${method} ${path} HTTP/1.1`, `Authorization: Bearer ${vault.key}`]),
      ),
    )

  test.each([
    ['an encoded slash', 'a%2Fb'],
    ['an encoded space', 'a%20b'],
    ['an encoded zero', '%00'],
    ['an encoded newline', 'a%0Ab'],
    ['a byte that is no UTF-8', '%ff'],
    ['a letter that is not ASCII', '%c3%a9'],
    ['a quote', "'"],
    ['an encoded per cent', '%25'],
    ['a semicolon', 'a;b'],
    ['129 characters', 'x'.repeat(129)],
    ['5,000 characters', 'x'.repeat(5000)],
    ['4,000 encoded characters', '%41'.repeat(4000)],
  ])('with %s is refused', async (_what, id) => {
    for (const [method, path] of [
      ['GET', `/v1/tokens/${id}`],
      ['DELETE', `/v1/tokens/${id}`],
      ['GET', `/v1/tokens/${id}/access-token`],
      ['POST', `/v1/tokens/${id}/refresh`],
    ] as const) {
      const { status, body } = await raw(path, method)
      expect([status, body['code']]).toEqual([400, 'invalid_request'])
      expect(body['errors']).toMatchObject([{ pointer: id === '%ff' ? '' : '/id' }])
    }
  })

  test.each(['.', '..', '...', '%2e%2e', '__proto__', 'constructor', '%41', 'find'])(
    '%s is an id like any other',
    async (id) => {
      expect(await raw(`/v1/tokens/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    },
  )

  test.each([
    '/v1/tokens/../tokens',
    '/v1/tokens/a/../../tokens',
    '/v1/./tokens',
    '/v1/tokens%2Ffind',
    '*',
    'http://evil.example/x',
  ])('%s leads nowhere', async (path) => {
    const { status, body } = await raw(path)
    expect(['not_found', 'invalid_request']).toContain(body['code'])
    expect(status).toBeLessThan(500)
  })
})

describe('a query', () => {
  test.each(['%ff', '%c3', '100%', '%zz'])('that holds %s is refused: it cannot be decoded', async (name) => {
    const { status, body } = await vault.call('GET', `/v1/tokens?user_name=${name}`)
    expect([status, body.code]).toEqual([400, 'invalid_request'])
  })

  test.each([
    ['/v1/tokens?surprise=1', '/surprise'],
    ['/v1/tokens?surprise=', '/surprise'],
    ['/v1/tokens?__proto__=1', '/__proto__'],
    ['/v1/tokens?user_name=a&user_name=b', '/user_name'],
    ['/v1/tokens?user_name[]=a', '/user_name[]'],
    ['/v1/tokens?user_name=%00', '/user_name'],
    ['/v1/tokens?user_name=%0A', '/user_name'],
    ['/v1/tokens?status=dead', '/status'],
    ['/v1/tokens?status=active&status=failing', '/status'],
    ['/v1/tokens?limit=0', '/limit'],
    ['/v1/tokens?limit=1001', '/limit'],
    ['/v1/tokens?limit=-1', '/limit'],
    ['/v1/tokens?limit=1.5', '/limit'],
    ['/v1/tokens?limit=ten', '/limit'],
    ['/v1/tokens?limit=1&limit=2', '/limit'],
    ['/v1/tokens?limit=0x10', '/limit'],
    ['/v1/tokens?limit=1e2', '/limit'],
    ['/v1/tokens?limit=%201', '/limit'],
    ['/v1/tokens?include=everything', '/include'],
    ['/v1/tokens?expires_before=yesterday', '/expires_before'],
    ['/v1/tokens?expires_before=2030-02-30T00:00:00Z', '/expires_before'],
    ['/v1/tokens/a?min_ttl=-1', '/min_ttl'],
    ['/v1/tokens/a?min_ttl=x', '/min_ttl'],
    ['/v1/tokens/a?min_ttl=1&min_ttl=2', '/min_ttl'],
    ['/v1/tokens/a?access_token=t', '/access_token'],
    ['/v1/tokens/a/access-token?min_ttl=99999999999', '/min_ttl'],
  ])('%s is refused by the name of its parameter', async (path, pointer) => {
    const { status, body } = await vault.call('GET', path)
    expect([status, body.code]).toEqual([400, 'invalid_request'])
    expect(body.errors?.map((fault) => fault.pointer)).toContain(pointer)
  })

  test.each(['%zz', '%', '%ff', '%ed%a0%80'])('with the broken encoding %s never fails', async (value) => {
    expect((await vault.call('GET', `/v1/tokens?user_name=${value}`)).status).toBeLessThan(500)
  })

  const BODIES: Record<string, object> = {
    '/v1/tokens': { access_token: 't' },
    '/v1/tokens/find': { access_token: 't' },
    '/v1/access-token': { access_token: 't' },
    '/v1/tokens/exchange': { client_id: 'c', grant_token: 'g' },
  }

  test.each([
    'POST /v1/tokens',
    'POST /v1/tokens/find',
    'POST /v1/access-token',
    'DELETE /v1/tokens/a',
    'POST /v1/tokens/a/refresh',
    'POST /v1/tokens/exchange',
    'POST /v1/tokens/a/revoke',
  ])('to %s, which knows no parameter, is refused', async (route) => {
    const [method = '', path = ''] = route.split(' ')
    const body = BODIES[path]
    const answer = await vault.call(method, `${path}?id=a`, body)
    expect([answer.status, answer.body.errors?.[0]?.pointer]).toEqual([400, '/id'])
  })
})

test.each([
  ['POST', '/v1/tokens/find', { id: 'unknown' }],
  ['GET', '/v1/tokens/unknown', undefined],
  ['DELETE', '/v1/tokens/unknown', undefined],
  ['DELETE', '/v1/keys/unknown', undefined],
])(
  'a path that is no route is told by its errors from a token or key that is not there: %s %s',
  async (method, path, sent) => {
    const here = await vault.call(method, path, sent)
    expect([here.status, here.body.code, here.body.errors]).toEqual([404, 'not_found', undefined])
    for (const wrong of [`/vault${path}`, `/docs${path}`, `${path}/more/than/this`]) {
      const elsewhere = await vault.call(method, wrong, sent)
      expect([elsewhere.status, elsewhere.body.code]).toEqual([404, 'not_found'])
      expect(elsewhere.body.errors).toHaveLength(1)
    }
  },
)

describe('a path that is no route', () => {
  test.each([
    ['no JSON', '{{{', {}],
    ['a field twice', '{"id":"a","id":"b"}', {}],
    ['more than 64 KiB', ' '.repeat(70_000), {}],
    ['a compressed body', 'x', { 'content-encoding': 'gzip' }],
    ['another type', 'x', { 'content-type': 'text/plain' }],
  ])('is not found before its body is read: %s', async (_what, sent, headers) => {
    for (const path of ['/v1/nope', '/nope']) {
      const more = { authorization: '', ...headers }
      const { status, body } = await vault.call('POST', path, sent, more)
      expect([status, body.code]).toEqual([404, 'not_found'])
    }
  })

  test('is not found where its body never comes', async () => {
    const request = ['POST /v1/nope HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 20']
    const answer = parseRaw(await sendRaw(vault.url, rawRequest(request), true))
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})

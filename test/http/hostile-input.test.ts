import { afterEach, describe, expect, test } from 'vitest'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import { useVault } from '../support/vault.ts'

const { database, vault } = useVault()

afterEach(async () => {
  const stored = await Promise.all(
    ['tokens', 'refresh_tokens', 'events'].map((table) => database.query(`delete from ${table} returning *`)),
  )
  expect(stored.flat()).toEqual([])
  expect((await vault.call('GET', '/readyz')).status).toBe(200)
})

const BODY_PATHS = ['/v1/tokens', '/v1/tokens/find', '/v1/access-token']

/** The pointers of the faults, of a body that must be refused wherever there is a body. */
async function faultsOf(body: string): Promise<string[]> {
  const pointers = new Set<string>()
  for (const path of BODY_PATHS) {
    const answer = await vault.call('POST', path, body)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
    expect(answer.body.errors?.every(({ detail }) => detail !== '')).toBe(true)
    for (const { pointer } of answer.body.errors ?? []) pointers.add(pointer)
  }
  return [...pointers]
}

const TEXTS = ['provider', 'user_name', 'client_id', 'token_type', 'scope', 'redirect_url', 'api_domain']
const SECRETS = ['client_secret', 'grant_token', 'refresh_token', 'access_token']

describe('a field', () => {
  test.each([...TEXTS, ...SECRETS, 'id', 'expires_at'])(
    '%s that is no text is refused by name',
    async (field) => {
      for (const value of ['7', 'true', '[]', '{}', '["x"]', '{"a":{"b":1}}']) {
        expect(await faultsOf(`{"access_token":"t","${field}":${value}}`)).toEqual([`/${field}`])
      }
    },
  )

  test.each([...TEXTS, ...SECRETS, 'id'])('%s with a control character is refused by name', async (field) => {
    for (const code of [0, 1, 8, 9, 10, 13, 27, 31, 127, 128, 133, 159]) {
      const value = JSON.stringify(`a${String.fromCharCode(code)}b`)
      expect(await faultsOf(`{"access_token":"t","${field}":${value}}`)).toEqual([`/${field}`])
    }
  })

  test.each([...TEXTS, ...SECRETS, 'id'])(
    '%s with half a surrogate pair is refused by name',
    async (field) => {
      for (const half of ['\\ud800', '\\udfff', 'x\\udc00\\ud800', '\\ud83d']) {
        expect(await faultsOf(`{"access_token":"t","${field}":"${half}"}`)).toEqual([`/${field}`])
      }
    },
  )

  test.each([
    ...TEXTS.map((field) => [field, 1024] as const),
    ...SECRETS.map((field) => [field, 16_384] as const),
    ['id', 128] as const,
  ])('%s of more than %i characters is refused by name', async (field, limit) => {
    expect(await faultsOf(JSON.stringify({ access_token: 't', [field]: 'x'.repeat(limit + 1) }))).toEqual([
      `/${field}`,
    ])
  })

  test.each(['a b', 'a/b', '..%2f', 'ä', '{}', "'", 'a\\b', '%00'])(
    'id %j is refused by name',
    async (id) => {
      expect(await faultsOf(JSON.stringify({ access_token: 't', id }))).toEqual(['/id'])
    },
  )

  test.each([
    '2030-01-01',
    '2030-01-01T00:00:00',
    '2030-01-01 00:00:00Z',
    '2030-13-01T00:00:00Z',
    '2030-01-01T24:00:00Z',
    '2030-01-01T00:00:60Z',
    '1893456000',
    'now',
    '9999-12-31T23:59:59-23:59',
  ])('expires_at %s is refused by name', async (expires_at) => {
    const { status, body } = await vault.save({ access_token: 't', expires_at })
    expect([status, body.errors?.map(({ pointer }) => pointer)]).toEqual([400, ['/expires_at']])
  })

  test('expires_at on a day that the calendar does not have is refused by name', async () => {
    for (const expires_at of ['2030-02-30T00:00:00Z', '2031-02-29T00:00:00Z', '2030-04-31T00:00:00Z']) {
      const { status, body } = await vault.save({ access_token: 't', expires_at })
      expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/expires_at'])
    }
  })

  test('expires_in beside expires_at is refused by name', async () => {
    const { status, body } = await vault.save({
      access_token: 't',
      expires_at: '2030-01-01T00:00:00Z',
      expires_in: 5,
    })
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/expires_in'])
  })

  test.each(['-1', '1.5', '"60"', '1e30', '[]', 'true'])(
    'expires_in of %s is refused by name',
    async (value) => {
      expect(await faultsOf(`{"access_token":"t","expires_in":${value}}`)).toEqual(['/expires_in'])
    },
  )

  test.each([
    'surprise',
    'min_TTL',
    'status',
    'version',
    'a/b~c',
    '',
    '__proto__',
    'constructor',
    'toString',
    'namespace_id',
  ])('%j that there is not is refused by name', async (field) => {
    const pointer = `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`
    expect(await faultsOf(`{"access_token":"t",${JSON.stringify(field)}:"x"}`)).toEqual([pointer])
    expect(await faultsOf(`{"access_token":"t",${JSON.stringify(field)}:{"polluted":true}}`)).toEqual([
      pointer,
    ])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('min_ttl is none of a save', async () => {
    expect((await vault.save({ access_token: 't', min_ttl: 5 })).body.errors?.[0]?.pointer).toBe('/min_ttl')
  })

  test('is named with each other one that is wrong', async () => {
    expect((await faultsOf('{"user_name":7,"surprise":1,"id":"a b"}')).toSorted()).toEqual([
      '/id',
      '/surprise',
      '/user_name',
    ])
  })
})

describe('a body', () => {
  test.each([
    ['nothing', ''],
    ['half an object', '{"access_token":"t"'],
    ['two objects', '{"access_token":"t"}{}'],
    ['single quotes', "{'access_token':'t'}"],
    ['a comment', '{"access_token":"t"/**/}'],
    ['a raw newline', '{"access_token":"a\nb"}'],
    ['NaN', '{"access_token":"t","expires_in":NaN}'],
    ['brackets, 30,000 deep', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['objects, 10,000 deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['an open bracket, 60,000 times', '['.repeat(60_000)],
    ['an array', '[{"access_token":"t"}]'],
    ['a text', '"access_token"'],
    ['a number', '7'],
    ['null', 'null'],
    ['true', 'true'],
  ])('of %s is refused', async (_what, body) => {
    for (const path of BODY_PATHS) {
      const { status, body: problem } = await vault.call('POST', path, body)
      expect([status, problem.code]).toEqual([400, 'invalid_request'])
      expect(problem.errors?.[0]?.detail).toMatch(/./)
    }
  })

  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a cut sequence', [0xe2, 0x82]],
    ['more than Unicode has', [0xf5, 0x80, 0x80, 0x80]],
  ])('that is not UTF-8 is refused: %s', async (_what, bytes) => {
    const text = Buffer.concat([Buffer.from('{"access_token":"'), Buffer.from(bytes), Buffer.from('"}')])
    const head = saveRequest([`Content-Length: ${text.length}`])
    const answer = parseRaw(await sendRaw(vault.url, Buffer.concat([Buffer.from(head), text])))
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', detail: 'The body is not UTF-8.' },
    })
  })

  test.each([
    ['{"access_token":"s","user_name":"ann","access_token":"t"}', '/access_token'],
    ['{"access_token":"t","access_token":"t"}', '/access_token'],
    ['{"access_token":"t","access\\u005ftoken":null}', '/access_token'],
    ['{"id" : "\\\\","id"\n:"x","access_token":"{\\":{"}', '/id'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
    ['{"access_token":{},"access_token":"t"}', '/access_token'],
    ['{"access_token":[{"id":":}"}],"id":"x","access_token":"t"}', '/access_token'],
  ])('that gives a field twice is refused by its name: %s', async (body, pointer) => {
    expect(await faultsOf(body)).toEqual([pointer])
  })

  test('is judged by its names, whatever its values look like', async () => {
    for (const text of ['id', ':', '":', '","id":', '{', '}{', '\\', '\\"', '"id":1,"id":']) {
      expect((await vault.find({ access_token: text, refresh_token: text, scope: text })).status).toBe(404)
    }
  })

  test('with 4,000 unknown fields is refused with a short answer', async () => {
    const fields = Array.from({ length: 4000 }, (_, index) => `"f${index}":1`)
    const { status, text } = await vault.save(`{${fields.join(',')}}`)
    expect(status).toBe(400)
    expect(text.length).toBeLessThan(4000)
  })

  test('never comes back in the answer', async () => {
    for (const body of [
      '{"access_token":"hush',
      '{"access_token":"hush","expires_at":"hush"}',
      '{"access_token":["hush"]}',
    ]) {
      expect((await vault.save(body)).text).not.toContain('hush')
    }
    expect(vault.log()).not.toContain('hush')
  })
})

const saveRequest = (lines: string[], body = '') =>
  rawRequest(
    [
      'POST /v1/tokens HTTP/1.1',
      `Authorization: Bearer ${vault.key}`,
      'Content-Type: application/json',
      ...lines,
    ],
    body,
  )

const TOKEN = '{"access_token":"t"}'

describe('a request that no client should send', () => {
  test.each([
    ['Authorization: Bearer x', '/authorization'],
    ['If-Match: "1"\r\nIf-Match: "2"', '/if-match'],
    ['Content-Type: text/plain', '/content-type'],
  ])('with %j a second time is refused by name', async (line, pointer) => {
    const answer = await sendRaw(vault.url, saveRequest([`Content-Length: ${TOKEN.length}`, line], TOKEN))
    expect(parseRaw(answer)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } })
  })

  test.each([
    ['an expectation that nobody can meet', rawRequest(['GET /healthz HTTP/1.1', 'Expect: x']), '/expect'],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', '/host'],
  ])('with %s is refused by name', async (_what, request, pointer) => {
    const { status, head, body } = parseRaw(await sendRaw(vault.url, request))
    expect([status, body['errors']]).toMatchObject([400, [{ pointer }]])
    expect(head).toContain(`x-request-id: ${String(body['request_id'])}`)
    expect(head).toContain('cache-control: no-store')
  })

  test.each([
    ['two lengths', ['Content-Length: 20', 'Content-Length: 19']],
    ['a length and chunks', ['Content-Length: 20', 'Transfer-Encoding: chunked']],
    ['a length that is none', ['Content-Length: twenty']],
    ['a negative length', ['Content-Length: -1']],
    ['a length that is too short', ['Content-Length: 5']],
    ['a length that is too long', ['Content-Length: 500']],
    ['a second host', ['Content-Length: 20', 'Host: other']],
    ['a broken header', ['Content-Length: 20', 'No colon here']],
    ['a folded header', ['Content-Length: 20', 'X-A: b', ' c']],
  ])('with %s is refused', async (_what, lines) => {
    const answer = await sendRaw(vault.url, saveRequest(lines, TOKEN), true)
    expect(answer === '' || parseRaw(answer).status === 400, answer).toBe(true)
  })

  test('with 100 kB of headers is refused', async () => {
    const { status, body } = parseRaw(
      await sendRaw(vault.url, saveRequest([`X-Long: ${'x'.repeat(100_000)}`])),
    )
    expect([status, body['code']]).toEqual([431, 'invalid_request'])
    expect(body['detail']).toBe('The headers are too large.')
  })

  test('in another language is refused', async () => {
    for (const bytes of ['\x16\x03\x01\x02\x00', 'hello\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\0\0\0\0']) {
      const answer = await sendRaw(vault.url, bytes, true)
      expect(answer === '' || parseRaw(answer).status === 400).toBe(true)
    }
  })
})

import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTokenVaultClient, TokenVaultError } from '../src/index.ts'
import type { TokenVaultClient } from '../src/index.ts'
import { FakeVault, problem } from './fake-vault.ts'

const apiKey = `tv_app_${'k'.repeat(43)}`
let vault: FakeVault
let client: TokenVaultClient

beforeEach(async () => {
  vault = await new FakeVault().start()
  client = createTokenVaultClient({ url: vault.url, apiKey })
})

afterEach(async () => {
  await vault.stop()
})

async function failureOf(promise: Promise<unknown>): Promise<TokenVaultError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TokenVaultError)
  return error as TokenVaultError
}

describe('a request', () => {
  test('bears the API key and asks for the life wanted', async () => {
    vault.put({ id: 'a', user_name: 'ann' })
    expect(await client.find({ user_name: 'ann' }, { minTtl: 60 })).toMatchObject({ id: 'a' })
    expect(await client.get('a', { minTtl: 30 })).toMatchObject({ id: 'a' })
    const [find, get] = vault.requests
    expect(find).toMatchObject({ body: { user_name: 'ann', min_ttl: 60 }, authorization: `Bearer ${apiKey}` })
    expect(get?.query.get('min_ttl')).toBe('30')
  })

  test('asks for whole seconds of life, and no fewer than are wanted', async () => {
    const life = { minTtl: 90.5 }
    vault.next(...Array.from({ length: 4 }, () => ({ status: 200, body: { id: 'a', access_token: 't' } })))
    await client.get('a', life)
    await client.accessToken('a', life)
    await client.find({ user_name: 'ann' }, life)
    await client.accessToken({ user_name: 'ann' }, life)
    const asked = vault.requests.map(({ query, body }) => query.get('min_ttl') ?? body['min_ttl'])
    expect(asked).toEqual(['91', '91', 91, 91])
  })

  test('is not made for a life that no vault can give', async () => {
    for (const minTtl of [Infinity, -Infinity, NaN]) {
      const wanted = new TypeError('minTtl must be a number of seconds, such as 60')
      await expect(client.find({ user_name: 'ann' }, { minTtl })).rejects.toThrow(wanted)
      await expect(client.accessToken('a', { minTtl })).rejects.toThrow(wanted)
    }
    expect(vault.requests).toEqual([])
  })

  test('keeps the path before /v1 and drops the slash', async () => {
    await createTokenVaultClient({ url: `${vault.url}/vault/`, apiKey }).get('a')
    expect(vault.requests[0]?.path).toBe('/vault/v1/tokens/a')
  })

  test('uses the fetch that it was given', async () => {
    const asked: unknown[] = []
    const fetch = (input: unknown) => {
      asked.push(input)
      return Promise.resolve(Response.json({ deleted: 2 }))
    }
    const other = createTokenVaultClient({ url: 'https://vault.example', apiKey, fetch })
    expect(await other.deleteMany({ provider: 'zoho' })).toBe(2)
    expect(asked).toEqual(['https://vault.example/v1/tokens?provider=zoho'])
  })

  test('goes to the path of each call', async () => {
    const body = { id: 'a', access_token: 't' }
    vault.next({ status: 200, body }, { status: 200, body }, { status: 200, body })
    await client.accessToken('a', { minTtl: 5 })
    await client.accessToken({ user_name: 'ann' })
    await client.refresh('a')
    vault.next({ status: 201, body }, { status: 204 })
    await client.exchange({ client_id: 'c', grant_token: 'g' })
    await client.revoke('a')
    expect(vault.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /v1/tokens/a/access-token',
      'POST /v1/access-token',
      'POST /v1/tokens/a/refresh',
      'POST /v1/tokens/exchange',
      'POST /v1/tokens/a/revoke',
    ])
  })

  test('saves under a condition when a version is given', async () => {
    vault.put({ id: 'a' })
    await client.save({ id: 'a', scope: 'x' }, { ifMatch: 3 })
    expect(vault.requests[0]?.headers['if-match']).toBe('"3"')
  })
})

describe('what is not there', () => {
  test('is null for a find and a get, false for a delete', async () => {
    expect(await client.find({ user_name: 'nobody' })).toBeNull()
    expect(await client.get('nothing')).toBeNull()
    expect(await client.delete('nothing')).toBe(false)
  })

  test.each(['', '..', '.', 'a/b', 'a?b', 'é', 'a'.repeat(129)])(
    'is every id that no token can have: %s',
    async (id) => {
      expect(await client.get(id)).toBeNull()
      expect(await client.delete(id)).toBe(false)
      expect(vault.requests).toHaveLength(0)
    },
  )

  test('is an error where a token is needed', async () => {
    expect(await failureOf(client.accessToken('nothing'))).toMatchObject({ status: 404, code: 'not_found' })
  })
})

describe('a list', () => {
  test('fetches page after page until the last', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) vault.put({ id })
    const ids: string[] = []
    for await (const token of client.list({ limit: 2, status: 'active' })) ids.push(token.id)
    expect(ids).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(vault.requests.map(({ query }) => query.get('status'))).toEqual(['active', 'active', 'active'])
  })

  test('fetches no page that nobody asks for', async () => {
    for (const id of ['a', 'b', 'c']) vault.put({ id })
    for await (const token of client.list({ limit: 1 })) {
      expect(token.id).toBe('a')
      break
    }
    expect(vault.requests).toHaveLength(1)
  })

  test('gives a date as RFC 3339', async () => {
    for await (const token of client.list({ expires_before: new Date(0) })) expect(token).toBeUndefined()
    expect(vault.requests[0]?.query.get('expires_before')).toBe('1970-01-01T00:00:00.000Z')
  })
})

describe('an error', () => {
  test('says all that the problem document says', async () => {
    const errors = [{ pointer: '/scope', detail: 'too long' }]
    vault.next(problem(409, 'conflict', { token_id: 'b', matches: ['a', 'b'], errors }))
    expect(await failureOf(client.save({}))).toMatchObject({
      ...{ status: 409, code: 'conflict', detail: 'It is conflict.', message: 'It is conflict.' },
      ...{ requestId: 'req-1', tokenId: 'b', matches: ['a', 'b'], errors },
    })
  })

  test('lists nothing that is not a list', async () => {
    vault.next(problem(409, 'ambiguous_match', { matches: 'a', errors: {} }))
    const { matches, errors } = await failureOf(client.find({ user_name: 'ann' }))
    expect([matches, errors]).toEqual([undefined, undefined])
    vault.next(problem(400, 'invalid_request', { errors: [null, 7, { pointer: '/scope' }] }))
    expect(await failureOf(client.save({}))).toMatchObject({ errors: [], message: 'It is invalid_request.' })
  })

  test('of a malformed request has its faults in the message', async () => {
    const errors = [
      { pointer: '/scope', detail: 'must be string,null' },
      { pointer: '', detail: 'is not UTF-8' },
    ]
    vault.next(problem(400, 'invalid_request', { errors }))
    expect(await failureOf(client.save({}))).toMatchObject({
      ...{ detail: 'It is invalid_request.', errors },
      message: 'It is invalid_request: /scope must be string,null; is not UTF-8.',
    })
  })

  test('of an unreachable vault names the origin and the reason', async () => {
    await vault.stop()
    const other = createTokenVaultClient({ url: `${vault.url}/secret-path`, apiKey, retryForMs: 0 })
    const error = await failureOf(other.get('a'))
    expect(error).toMatchObject({ status: 0, code: 'unreachable' })
    expect(error.message).toBe(`The token vault at ${vault.url} cannot be reached: ECONNREFUSED.`)
    await vault.start()
  })

  test('of a vault that is too slow says so', async () => {
    vault.next({ status: 200, body: {}, delayMs: 500 })
    const other = createTokenVaultClient({ url: vault.url, apiKey, timeoutMs: 50, retryForMs: 0 })
    expect(await failureOf(other.get('a'))).toMatchObject({ status: 0, code: 'timeout' })
  })

  test.each([
    { status: 200, body: '<html>' },
    { status: 404, body: '<html>' },
    { status: 302, body: '', headers: { location: 'http://elsewhere.example' } },
    { status: 403, body: '{"message":"blocked"}' },
  ])('tells an answer that is not the vault’s apart: $status $body', async (reply) => {
    vault.next(reply)
    expect(await failureOf(client.get('a'))).toMatchObject({ status: reply.status, code: 'invalid_answer' })
  })

  test('follows no redirect, which would take the API key and the body elsewhere', async () => {
    const elsewhere = await new FakeVault().start()
    for (const status of [301, 302, 303, 307, 308]) {
      vault.next({ status, body: {}, headers: { location: `${elsewhere.url}/v1/tokens` } })
      const error = await failureOf(client.save({ access_token: 'a', user_name: 'ann' }))
      expect(error).toMatchObject({ status, code: 'invalid_answer' })
    }
    expect(elsewhere.requests).toEqual([])
    await elsewhere.stop()
  })

  test('never carries the API key, nor does the client show it', async () => {
    await vault.stop()
    const error = await failureOf(createTokenVaultClient({ url: vault.url, apiKey, retryForMs: 0 }).get('a'))
    const shown = [
      error.stack,
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      inspect(client, { showHidden: true }),
    ]
    expect(shown.join()).not.toContain(apiKey.slice(-43))
    await vault.start()
  })
})

describe('another server in the vault’s place', () => {
  const answered: [string, (client: TokenVaultClient) => Promise<unknown>][] = [
    ['find', (c) => c.find({ user_name: 'ann' })],
    ['get', (c) => c.get('a')],
    ['save', (c) => c.save({ id: 'a' })],
    ['deleteMany', (c) => c.deleteMany({ all: true })],
    ['list', (c) => c.list().next()],
    ['accessToken by id', (c) => c.accessToken('a')],
    ['accessToken', (c) => c.accessToken({ user_name: 'ann' })],
    ['refresh', (c) => c.refresh('a')],
    ['exchange', (c) => c.exchange({ client_id: 'c', grant_token: 'g' })],
  ]
  const unanswered: typeof answered = [
    ['delete', (c) => c.delete('a')],
    ['revoke', (c) => c.revoke('a')],
  ]

  test.each([...answered, ...unanswered])('is told by its JSON: %s', async (_, call) => {
    const wrong = { id: 7, access_token: null, tokens: {}, deleted: '1' }
    for (const body of [{ status: 'ok' }, { code: 'not_found' }, wrong]) {
      vault.next({ status: 200, body })
      expect(await failureOf(call(client))).toMatchObject({ status: 200, code: 'invalid_answer' })
    }
  })

  test.each([...answered, ...unanswered])('is the vault where its path is wrong: %s', async (_, call) => {
    vault.next(problem(404, 'not_found', { errors: [{ pointer: '', detail: 'is no route' }] }))
    const error = await failureOf(call(createTokenVaultClient({ url: `${vault.url}/vault`, apiKey })))
    expect(error).toMatchObject({ status: 404, code: 'invalid_answer', requestId: 'req-1' })
    const address = `${vault.url}${vault.requests[0]?.path ?? ''}`
    expect(error.message).toContain(`The token vault has no route ${address}: is the url right`)
  })

  test.each(answered)('is told by a 204, which the vault does not answer to %s', async (_, call) => {
    vault.next({ status: 204 })
    expect(await failureOf(call(client))).toMatchObject({ status: 204, code: 'invalid_answer' })
  })
})

describe('the options', () => {
  test.each(['', 'vault', 'ftp://vault', 'http://ann:secret@vault'])('refuse the url %s', (url) => {
    expect(() => createTokenVaultClient({ url, apiKey })).toThrow(TypeError)
  })

  test.each(['/v1', '/v1/', '/vault/v1'])('refuse a url that ends in %s, and say what to give', (path) => {
    expect(() => createTokenVaultClient({ url: vault.url + path, apiKey })).toThrow(
      new TypeError('url must be the address before /v1, such as http://127.0.0.1:8080'),
    )
  })

  test.each([0, -1, NaN])('refuse the time limit %s', (timeoutMs) => {
    expect(() => createTokenVaultClient({ url: vault.url, apiKey, timeoutMs })).toThrow(
      new TypeError('timeoutMs must be over 0'),
    )
  })

  test.each([Infinity, 3e9])('take a time limit that no timer can hold: %s', async (timeoutMs) => {
    vault.put({ id: 'a' })
    vault.next({ ...problem(404, 'not_found'), delayMs: 100 })
    const patient = createTokenVaultClient({ url: vault.url, apiKey, timeoutMs, retryForMs: 0 })
    expect(await patient.get('a')).toBeNull()
  })

  test('refuse a key that is none without repeating it', () => {
    expect(() => createTokenVaultClient({ url: vault.url, apiKey: 'se\ncret' })).toThrow(/^apiKey must be/)
  })

  test('take a key with the line break of the file that it was in', async () => {
    await createTokenVaultClient({ url: vault.url, apiKey: `${apiKey}\n` }).get('a')
    expect(vault.requests[0]?.authorization).toBe(`Bearer ${apiKey}`)
  })
})

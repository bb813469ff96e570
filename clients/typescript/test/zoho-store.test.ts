import * as sdk from '@zohocrm/typescript-sdk-8.0'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TokenVaultError } from '../src/index.ts'
import { createZohoTokenStore } from '../src/zoho.ts'
import type { ZohoTokenStore } from '../src/zoho.ts'
import { FakeVault, problem } from './fake-vault.ts'
import { apiKey, exceptionOf, tokenOf } from './zoho-token.ts'

const full = {
  ...{
    id: 'a',
    user_name: 'ann@example.com:1',
    client_id: 'client',
    client_secret: 'secret',
    expires_in: 3000,
  },
  ...{ refresh_token: 'refresh-2', grant_token: 'grant-1', access_token: 'access-2' },
  ...{ redirect_url: 'https://app.example/cb', api_domain: 'https://www.zohoapis.eu' },
}

let vault: FakeVault
let store: ZohoTokenStore<sdk.OAuthToken>

beforeEach(async () => {
  vault = await new FakeVault().start()
  store = createZohoTokenStore(sdk, { url: vault.url, apiKey, retryForMs: 0 })
})

afterEach(async () => {
  await vault.stop()
})

describe('findToken', () => {
  test('names the token by all that the object has, among Zoho’s tokens, and asks for a life', async () => {
    vault.put(full)
    await store.findToken(
      tokenOf({ user: full.user_name, client: 'client', grant: 'g', refresh: 'r', access: 'a' }),
    )
    expect(vault.requests[0]?.body).toEqual({
      ...{ provider: 'zoho', user_name: full.user_name, client_id: 'client', min_ttl: 60 },
      ...{ grant_token: 'g', refresh_token: 'r', access_token: 'a' },
    })
  })

  test('is the SDK’s exception with the ids where several match', async () => {
    vault.next(problem(409, 'ambiguous_match', { matches: ['a', 'b'] }))
    const { code, message } = await exceptionOf(store.findToken(tokenOf({ user: 'ann' })))
    expect(code).toBe('ambiguous_match')
    expect(message).toContain('a, b')
  })

  test('counts the expiry by the application’s own clock', async () => {
    vault.put({ ...full, expires_at: '1970-01-01T00:00:00.000Z' })
    const token = tokenOf({ user: full.user_name })
    const before = Date.now()
    await store.findToken(token)
    const left = Number(token.getExpiresIn()) - before
    expect(left).toBeGreaterThanOrEqual(3_000_000)
    expect(left).toBeLessThan(3_001_000)
  })

  test('forgets the expiry of the access token that it replaces where the new one’s is unknown', async () => {
    vault.put({ id: 'a', user_name: 'ann', access_token: 'access-2' })
    const token = tokenOf({ user: 'ann', access: 'access-1' })
    token.setExpiresIn('1')
    await store.findToken(token)
    expect(token.getExpiresIn()).toBeNull()
  })

  test('shows the SDK enough life that it does not refresh the last seconds away', async () => {
    vault.put({ ...full, expires_in: 2 })
    const token = await store.findTokenById('a')
    expect(token.getTokenExpiry(token)).toBe(false)
  })
})

describe('findTokenById', () => {
  test('gives a new token of the application’s own class each time', async () => {
    vault.put(full)
    const [one, other] = [await store.findTokenById('a'), await store.findTokenById('a')]
    expect(one).toBeInstanceOf(sdk.OAuthToken)
    expect(one.getUserSignature()).toBeInstanceOf(sdk.UserSignature)
    expect(one.getUserSignature()?.getName()).toBe(full.user_name)
    expect(other).not.toBe(one)
  })

  test.each(['unknown', '', '../x'])('throws the SDK’s own exception for the id "%s"', async (id) => {
    expect(await exceptionOf(store.findTokenById(id))).toMatchObject({ code: 'TOKEN_STORE' })
  })

  test('carries the vault’s error as the cause, and a message that the SDK’s class has not garbled', async () => {
    vault.next(problem(401, 'unauthorized'))
    const exception = await exceptionOf(store.findTokenById('a'))
    expect(exception.cause).toBeInstanceOf(TokenVaultError)
    const expected = 'It is unauthorized. Check the API key that createZohoTokenStore was given.'
    expect(exception.message).toBe(expected)
  })
})

describe('saveToken', () => {
  test('saves what the SDK’s object has, and sets its id', async () => {
    const token = tokenOf({ user: 'ann', client: 'client', grant: 'g', refresh: 'r', access: 'a' })
    token.setExpiresIn(String(Date.now() + 3_600_500))
    token.setAPIDomain('https://www.zohoapis.com')
    await store.saveToken(token)
    expect(token.getId()).toBe('token-1')
    expect(vault.requests[0]?.body).toEqual({
      ...{ provider: 'zoho', user_name: 'ann', client_id: 'client', client_secret: 'secret of client' },
      ...{ grant_token: 'g', refresh_token: 'r', access_token: 'a', expires_in: 3600 },
      api_domain: 'https://www.zohoapis.com',
    })
  })

  test('is the SDK’s exception where the vault refuses', async () => {
    vault.next(problem(409, 'conflict', { token_id: 'b' }))
    expect(await exceptionOf(store.saveToken(tokenOf({ access: 'a' })))).toMatchObject({ code: 'conflict' })
    vault.next(problem(400, 'invalid_request', { errors: [{ pointer: '/api_domain', detail: 'is none' }] }))
    const { message } = await exceptionOf(store.saveToken(tokenOf({ access: 'a' })))
    expect(message).toBe('It is invalid_request: /api_domain is none.')
  })

  test('does nothing with what came from the vault as it is', async () => {
    vault.put(full)
    const merged = tokenOf({ user: full.user_name })
    await store.findToken(merged)
    await store.saveToken(merged)
    await store.saveToken(await store.findTokenById('a'))
    await store.saveToken(tokenOf({ id: 'a', access: 'access-2' }))
    expect(vault.asked('POST', /tokens$/)).toHaveLength(0)
  })

  test('saves what came from the vault once it has changed or was deleted', async () => {
    vault.put(full)
    const token = await store.findTokenById('a')
    token.setRedirectURL('https://app.example/other')
    await store.saveToken(token)
    const again = await store.findTokenById('a')
    await store.deleteToken('a')
    await store.saveToken(again)
    expect(vault.asked('POST', /tokens$/)).toHaveLength(2)
    expect(vault.tokens.get('a')).toMatchObject({ refresh_token: 'refresh-2' })
  })
})

describe('the rest of the store', () => {
  test('lists tokens as they are, of the application’s own class', async () => {
    vault.put({ ...full, expires_in: 0 })
    const [token] = await store.getTokens()
    expect(token).toBeInstanceOf(sdk.OAuthToken)
    expect(Number(token?.getExpiresIn())).toBeLessThanOrEqual(Date.now())
    expect(Object.fromEntries(vault.requests[0]?.query ?? [])).toEqual({
      provider: 'zoho',
      include: 'secrets',
      limit: '1000',
    })
  })

  test('deletes all Zoho tokens', async () => {
    await store.deleteTokens()
    expect(Object.fromEntries(vault.requests[0]?.query ?? [])).toEqual({ provider: 'zoho' })
  })
})

describe('another server in the vault’s place', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['findToken', () => store.findToken(tokenOf({ user: 'ann' }))],
    ['findTokenById', () => store.findTokenById('a')],
    ['saveToken', () => store.saveToken(tokenOf({ access: 'a' }))],
    ['deleteToken', () => store.deleteToken('a')],
    ['getTokens', () => store.getTokens()],
    ['deleteTokens', () => store.deleteTokens()],
    ['revoke', () => store.revoke('a')],
  ])('is the SDK’s exception: %s', async (_, call) => {
    const noRoute = problem(404, 'not_found', { errors: [{ pointer: '', detail: 'is no route' }] })
    for (const reply of [{ status: 200, body: { status: 'ok' } }, noRoute]) {
      vault.next(reply)
      expect(await exceptionOf(call())).toMatchObject({ code: 'invalid_answer' })
    }
  })
})

describe('with a key that may only use tokens', () => {
  beforeEach(() => {
    vault.lacking = new Set(['tokens:read', 'tokens:write'])
    vault.put(full)
  })

  test('saving what came from the vault does nothing, though the object has secrets of its own', async () => {
    const token = tokenOf({ user: full.user_name, client: 'client', grant: 'grant-1' })
    await store.findToken(token)
    await store.saveToken(token)
    expect(vault.asked('POST', /tokens$/)).toHaveLength(0)
  })
})

describe('a token that the vault cannot renew', () => {
  const dead = problem(409, 'reauth_required')

  test('is an exception that says to log in again', async () => {
    vault.next(dead, dead)
    const byId = await exceptionOf(store.findTokenById('a'))
    expect(byId.code).toBe('reauth_required')
    expect(byId.message).toContain('Log in again')
    expect(await exceptionOf(store.findToken(tokenOf({ user: 'ann' })))).toMatchObject({
      code: 'reauth_required',
    })
  })

  test('is not tried again with the refresh token that failed', async () => {
    vault.put(full)
    vault.next(dead)
    const token = tokenOf({ user: full.user_name, client: 'client', refresh: 'refresh-2' })
    expect(await exceptionOf(store.findToken(token))).toMatchObject({ code: 'reauth_required' })
  })

  test('lets the SDK log in with a grant token that the vault has not seen', async () => {
    vault.put(full)
    vault.next(dead)
    expect(
      await store.findToken(tokenOf({ user: full.user_name, client: 'client', grant: 'new' })),
    ).toBeNull()
  })

  test('lets the SDK trade a grant token that was saved and never used', async () => {
    vault.put({ id: 'b', user_name: 'bob', client_id: 'client', grant_token: 'grant-b' })
    vault.next(problem(409, 'not_refreshable'))
    expect(await store.findToken(tokenOf({ user: 'bob', client: 'client', grant: 'grant-b' }))).toBeNull()
  })

  test('does not let the SDK trade a grant token a second time', async () => {
    vault.put(full)
    vault.next(problem(409, 'not_refreshable'))
    const token = tokenOf({ user: full.user_name, client: 'client', grant: 'grant-1' })
    expect(await exceptionOf(store.findToken(token))).toMatchObject({ code: 'not_refreshable' })
  })
})

test('a store without all of the SDK says what to give it', () => {
  for (const wrong of [undefined, {}, { default: sdk }] as unknown as (typeof sdk)[])
    expect(() => createZohoTokenStore(wrong, { url: 'http://127.0.0.1:1', apiKey: 'k' })).toThrow(
      'Give createZohoTokenStore all of the SDK: import * as sdk from',
    )
})

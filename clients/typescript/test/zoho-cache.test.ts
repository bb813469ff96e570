import * as sdk from '@zohocrm/typescript-sdk-8.0'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createZohoTokenStore } from '../src/zoho.ts'
import type { ZohoTokenStore } from '../src/zoho.ts'
import { FakeVault, problem } from './fake-vault.ts'
import { apiKey, exceptionOf, tokenOf } from './zoho-token.ts'

let vault: FakeVault
let store: ZohoTokenStore<sdk.OAuthToken>
const reads = () => vault.asked('GET', /tokens\/a$/).length + vault.asked('POST', /find$/).length
const storeWith = (options: { cacheSeconds?: number; minTtl?: number } = {}) =>
  createZohoTokenStore(sdk, { url: vault.url, apiKey, retryForMs: 0, ...options })

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vault = await new FakeVault().start()
  vault.put({ id: 'a', user_name: 'ann', access_token: 'access-1', expires_in: 3600 })
  store = storeWith()
})

afterEach(async () => {
  vi.useRealTimers()
  await vault.stop()
})

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

describe('the cache', () => {
  test('makes one read of 50 calls at once, by id or by a partial token', async () => {
    await Promise.all(Array.from({ length: 50 }, () => store.findTokenById('a')))
    expect(reads()).toBe(1)
    const other = storeWith()
    const found = await Promise.all(
      Array.from({ length: 50 }, () => other.findToken(tokenOf({ user: 'ann' }))),
    )
    expect(reads()).toBe(2)
    expect(found.map((token) => token?.getAccessToken())).toEqual(Array(50).fill('access-1'))
  })

  test('serves a token that was found by its user under its id as well', async () => {
    await store.findToken(tokenOf({ user: 'ann' }))
    await store.findTokenById('a')
    expect(reads()).toBe(1)
  })

  test('lasts for cacheSeconds', async () => {
    await store.findTokenById('a')
    pass(29)
    await store.findTokenById('a')
    expect(reads()).toBe(1)
    pass(2)
    await store.findTokenById('a')
    expect(reads()).toBe(2)
  })

  test('is off with cacheSeconds 0, but for calls at once', async () => {
    const uncached = storeWith({ cacheSeconds: 0 })
    await uncached.findTokenById('a')
    await uncached.findTokenById('a')
    expect(reads()).toBe(2)
  })

  test('ends where less than minTtl is left', async () => {
    const long = storeWith({ cacheSeconds: 10_000 })
    await long.findTokenById('a')
    pass(3539)
    await long.findTokenById('a')
    expect(reads()).toBe(1)
    pass(2)
    await long.findTokenById('a')
    expect(reads()).toBe(2)
  })

  test('ends at a fifth of the life where a token does not live for long', async () => {
    vault.put({ id: 'a', access_token: 'access-1', expires_in: 10 })
    await store.findTokenById('a')
    pass(7.9)
    await store.findTokenById('a')
    expect(reads()).toBe(1)
    pass(0.2)
    await store.findTokenById('a')
    expect(reads()).toBe(2)
  })

  test('ends where the clock is set back, which would keep a token for longer than it lives', async () => {
    await store.findTokenById('a')
    pass(-600)
    await store.findTokenById('a')
    expect(reads()).toBe(2)
  })

  test('keeps an expiry as it was read, not as it is counted later', async () => {
    const first = await store.findTokenById('a')
    pass(20)
    expect((await store.findTokenById('a')).getExpiresIn()).toBe(first.getExpiresIn())
  })

  test('does not keep what was not found', async () => {
    expect(await store.findToken(tokenOf({ user: 'bob' }))).toBeNull()
    vault.put({ id: 'b', user_name: 'bob', access_token: 'b' })
    expect((await store.findToken(tokenOf({ user: 'bob' })))?.getAccessToken()).toBe('b')
  })

  test.each<[string, () => Promise<void>]>([
    ['a save', () => store.saveToken(tokenOf({ id: 'a', access: 'access-2' }))],
    ['a delete', () => store.deleteToken('a')],
    ['a delete of all', () => store.deleteTokens()],
    ['a revocation', () => store.revoke('a')],
  ])('is dropped by %s', async (_, change) => {
    await store.findToken(tokenOf({ user: 'ann' }))
    await change()
    await store.findToken(tokenOf({ user: 'ann' }))
    expect(reads()).toBe(2)
  })

  test('is not filled by an answer that is older than a save', async () => {
    vault.next({ status: 200, body: { id: 'a', access_token: 'access-1', expires_in: 3600 }, delayMs: 200 })
    const old = store.findTokenById('a')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await store.saveToken(tokenOf({ id: 'a', access: 'access-2' }))
    await old
    expect((await store.findTokenById('a')).getAccessToken()).toBe('access-2')
  })

  test('forgets a token that the vault has no more', async () => {
    await store.findTokenById('a')
    vault.tokens.clear()
    pass(31)
    expect(await exceptionOf(store.findTokenById('a'))).toMatchObject({ code: 'TOKEN_STORE' })
  })
})

describe('while the vault is away', () => {
  test('the cached access token is used for as long as it lives, then the error names the url', async () => {
    await store.findTokenById('a')
    await vault.stop()
    pass(3500)
    expect((await store.findTokenById('a')).getAccessToken()).toBe('access-1')
    pass(101)
    const { code, message } = await exceptionOf(store.findTokenById('a'))
    expect(code).toBe('unreachable')
    expect(message).toBe(
      `The token vault at ${vault.url} cannot be reached: ECONNREFUSED. Check that the vault runs, and the url that createZohoTokenStore was given.`,
    )
    await vault.start()
  })

  test('it is not asked at every call', async () => {
    await store.findTokenById('a')
    pass(31)
    vault.next(problem(503, 'storage_unavailable'))
    for (let call = 0; call < 20; call += 1) await store.findTokenById('a')
    expect(reads()).toBe(2)
    pass(6)
    await store.findTokenById('a')
    expect(reads()).toBe(3)
  })

  test('a token found by its user goes on as well', async () => {
    await store.findToken(tokenOf({ user: 'ann' }))
    pass(31)
    vault.next(problem(500, 'internal_error'))
    expect((await store.findToken(tokenOf({ user: 'ann' })))?.getId()).toBe('a')
  })

  test.each([
    { status: 404, body: 'page not found' },
    { status: 200, body: '<html>maintenance</html>' },
  ])('it goes on where a proxy answers in the vault’s place: $status $body', async (reply) => {
    await store.findTokenById('a')
    pass(31)
    vault.next(reply)
    expect((await store.findTokenById('a')).getAccessToken()).toBe('access-1')
  })

  test('without a cached token the error is the SDK’s exception', async () => {
    await vault.stop()
    expect(await exceptionOf(store.findToken(tokenOf({ user: 'ann' })))).toMatchObject({
      code: 'unreachable',
    })
    await vault.start()
  })

  test('a slow vault holds a call up for two seconds at most', async () => {
    await store.findTokenById('a')
    pass(31)
    vault.next({ status: 200, body: {}, delayMs: 4_000 })
    const startedAt = performance.now()
    expect((await store.findTokenById('a')).getAccessToken()).toBe('access-1')
    expect(performance.now() - startedAt).toBeLessThan(3_000)
  })

  test('an answer about the key or the token is no outage', async () => {
    await store.findTokenById('a')
    pass(31)
    vault.next(problem(401, 'unauthorized'))
    expect(await exceptionOf(store.findTokenById('a'))).toMatchObject({ code: 'unauthorized' })
  })
})

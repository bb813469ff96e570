import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTokenVaultClient, TokenVaultError } from '../src/index.ts'
import type { TokenVaultClient } from '../src/index.ts'
import { agedBy } from '../src/requests.ts'
import { pauseBeforeRetry } from '../src/retry.ts'
import { FakeVault, problem } from './fake-vault.ts'

const apiKey = `tv_app_${'k'.repeat(43)}`
const away = problem(503, 'storage_unavailable')
const lost = { status: 0 }

describe('the pause before a retry', () => {
  const attempt = { failures: 1, leftMs: 5_000, random: () => 1 }
  const error = (status: number, code: string, retryAfterSeconds?: number) =>
    new TokenVaultError(status, code, code, { retryAfterSeconds })

  test.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [6, 2_000],
    [20, 2_000],
  ])('doubles up to two seconds: failure %i, %i ms', (failures, expected) => {
    expect(pauseBeforeRetry({ ...attempt, failures, error: error(0, 'unreachable') })).toBe(expected)
  })

  test('is jittered by half', () => {
    expect(pauseBeforeRetry({ ...attempt, random: () => 0, error: error(0, 'timeout') })).toBe(50)
  })

  test('is never shorter than the vault asks for', () => {
    expect(pauseBeforeRetry({ ...attempt, error: error(503, 'storage_unavailable', 2) })).toBe(2_100)
  })

  test('is not taken when the vault asks for more than there is', () => {
    expect(pauseBeforeRetry({ ...attempt, error: error(503, 'provider_throttled', 600) })).toBeNull()
  })

  test.each([
    [400, 'invalid_request'],
    [401, 'unauthorized'],
    [409, 'reauth_required'],
    [500, 'internal_error'],
    [502, 'client_refused'],
    [200, 'invalid_answer'],
  ])('is not taken after %i %s', (status, code) => {
    expect(pauseBeforeRetry({ ...attempt, error: error(status, code) })).toBeNull()
  })

  test('is not taken after a fault that is not the vault’s', () => {
    expect(pauseBeforeRetry({ ...attempt, error: new TypeError('a mistake') })).toBeNull()
  })
})

describe('over HTTP', () => {
  let vault: FakeVault
  let client: TokenVaultClient

  beforeEach(async () => {
    vault = await new FakeVault().start()
    client = createTokenVaultClient({ url: vault.url, apiKey, retryForMs: 3_000 })
    vault.put({ id: 'a', user_name: 'ann', access_token: 't' })
  })

  afterEach(async () => {
    vi.useRealTimers()
    await vault.stop()
  })

  test.each<[string, (client: TokenVaultClient) => Promise<unknown>]>([
    ['find', (c) => c.find({ user_name: 'ann' })],
    ['get', (c) => c.get('a')],
    ['save', (c) => c.save({ id: 'a' })],
    ['delete', (c) => c.delete('a')],
    ['list', (c) => c.list().next()],
    ['accessToken', (c) => c.accessToken('a')],
  ])('%s is sent again while the vault is away, throttles or breaks off', async (_, call) => {
    vault.next(away, lost, problem(429, 'rate_limited'))
    await call(client)
    expect(vault.requests).toHaveLength(4)
  })

  test.each<[string, (client: TokenVaultClient) => Promise<unknown>]>([
    ['exchange', (c) => c.exchange({ client_id: 'c', grant_token: 'g' })],
    ['refresh', (c) => c.refresh('a')],
    ['revoke', (c) => c.revoke('a')],
    ['deleteMany', (c) => c.deleteMany({ all: true })],
    ['a conditional save', (c) => c.save({ id: 'a' }, { ifMatch: 1 })],
  ])('%s is sent once', async (_, call) => {
    vault.next(lost)
    await expect(call(client)).rejects.toMatchObject({ code: 'unreachable' })
    expect(vault.requests).toHaveLength(1)
  })

  test.each([lost, { status: 502, body: '<html>' }])(
    'a delete that finds none after an attempt without an answer has deleted it: $status',
    async (unanswered) => {
      vault.tokens.clear()
      vault.next(unanswered, away)
      expect(await client.delete('a')).toBe(true)
    },
  )

  test('a delete that finds none after the vault has refused it has deleted nothing', async () => {
    vault.tokens.clear()
    vault.next(away)
    expect(await client.delete('a')).toBe(false)
  })

  test('waits for as long as Retry-After says', async () => {
    vault.next({ ...away, headers: { 'retry-after': '1' } })
    const startedAt = Date.now()
    expect(await client.get('a')).toMatchObject({ id: 'a' })
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_000)
  })

  test('gives up at once when Retry-After is beyond its time, and says how long', async () => {
    vault.next({ ...problem(503, 'provider_throttled'), headers: { 'retry-after': '600' } })
    const startedAt = Date.now()
    await expect(client.get('a')).rejects.toMatchObject({
      code: 'provider_throttled',
      retryAfterSeconds: 600,
    })
    expect(Date.now() - startedAt).toBeLessThan(500)
  })

  test('reads a Retry-After that is a date', async () => {
    const date = new Date(Date.now() + 100_000).toUTCString()
    vault.next({ ...away, headers: { 'retry-after': date } })
    const error: unknown = await client.get('a').catch((reason: unknown) => reason)
    expect((error as TokenVaultError).retryAfterSeconds).toBeGreaterThan(90)
  })

  test('ends within its time while the vault stays away', async () => {
    vault.next(...Array.from({ length: 50 }, () => away))
    const startedAt = Date.now()
    const patient = createTokenVaultClient({ url: vault.url, apiKey, retryForMs: 500 })
    await expect(patient.get('a')).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(Date.now() - startedAt).toBeLessThan(1_000)
    expect(vault.requests.length).toBeGreaterThan(1)
  })

  test('ends within its time though the clock is set back meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vault.next(...Array.from({ length: 50 }, () => away))
    const answer = createTokenVaultClient({ url: vault.url, apiKey, retryForMs: 500 }).get('a')
    vi.setSystemTime(Date.now() - 3_600_000)
    await expect(answer).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  test('survives a restart of the vault', async () => {
    await vault.stop()
    setTimeout(() => void vault.start(), 400)
    expect(await client.get('a')).toMatchObject({ id: 'a' })
  })

  test('a save that is sent again says how much of the life is left by then', async () => {
    vault.next({ ...away, headers: { 'retry-after': '1' } })
    await client.save({ id: 'a', access_token: 't', expires_in: 100 })
    expect(vault.requests.map(({ body }) => body['expires_in'])).toEqual([100, 99])
  })

  test.each([
    [5, 3],
    [1, 0],
    [0, 0],
    [-5, -5],
    [null, null],
  ])('a life of %s seconds is down to %s after two, and never made up', (given, left) => {
    expect(agedBy({ expires_in: given }, 2)).toEqual({ expires_in: left })
  })
})

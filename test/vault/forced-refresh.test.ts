import { expect, test } from 'vitest'
import type { Token } from '../../src/domain/token.ts'
import type { FreshParts } from '../../src/vault/fresh-token.ts'
import { refreshToken } from '../../src/vault/fresh-token.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from '../support/domain.ts'

/** A forced refresh of a living token whose claim is refused. */
function refused(more: Partial<Pick<Token, 'leaseUntil' | 'retryAt'>>) {
  const living = { accessToken: 'a', expiresAt: inSeconds(1800), refreshedAt: inSeconds(-1800) }
  const token = tokenOf({ id: 'a', clientId: 'c', refreshToken: 'r', ...living, ...more })
  const parts = {
    renewals: { renew: () => Promise.resolve({ token, now: NOON, renewed: false }) },
    providers: { find: () => ZOHO },
    clock: { monotonicMs: () => 0, sleep: () => new Promise(() => undefined) },
  } as unknown as FreshParts
  return refreshToken(parts, { token, now: NOON })
}

test('a forced refresh that may not take over yet from one that was cut off is not told as a success', async () => {
  await expect(refused({ leaseUntil: inSeconds(-1) })).rejects.toMatchObject({
    code: 'storage_unavailable',
    facts: { retryAfterSeconds: 2 },
  })
})

test('nor is one that has to wait for what the provider asked of a token that was saved meanwhile', async () => {
  await expect(refused({ retryAt: inSeconds(90) })).rejects.toMatchObject({
    code: 'provider_throttled',
    facts: { retryAfterSeconds: 90 },
  })
})

test('nor is one that failed, however lately another renewal has succeeded', async () => {
  const before = tokenOf({ id: 'a', clientId: 'c', refreshToken: 'r', accessToken: 'a', refreshedAt: NOON })
  const lastError = {
    code: 'reauth_required',
    detail: 'the provider refused',
    at: NOON,
    attempts: 1,
  } as const
  const dead = { ...before, status: 'reauth_required', lastError, expiresAt: inSeconds(3600) } as const
  const parts = {
    renewals: { renew: () => Promise.resolve({ token: dead, now: NOON, renewed: false }) },
    providers: { find: () => ZOHO },
    clock: { monotonicMs: () => 0, sleep: () => new Promise(() => undefined) },
  } as unknown as FreshParts
  await expect(refreshToken(parts, { token: before, now: NOON })).rejects.toMatchObject({
    code: 'reauth_required',
  })
})

test('one that nothing stands in the way of any more is answered with the living token', async () => {
  expect((await refused({})).token.id).toBe('a')
})

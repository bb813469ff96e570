import { expect, test } from 'vitest'
import { refreshToken } from '../../src/vault/fresh-token.ts'
import type { FreshParts } from '../../src/vault/fresh-token.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from '../support/domain.ts'

test('a forced refresh that may not take over yet from one that was cut off is not told as a success', async () => {
  const token = tokenOf({
    id: 'a',
    clientId: 'c',
    refreshToken: 'r',
    accessToken: 'a',
    expiresAt: inSeconds(1800),
    refreshedAt: inSeconds(-1800),
    leaseUntil: inSeconds(-1),
  })
  const parts = {
    renewals: { renew: () => Promise.resolve({ token, now: NOON, renewed: false }) },
    providers: { find: () => ZOHO },
    clock: { monotonicMs: () => 0, sleep: () => new Promise(() => undefined) },
  } as unknown as FreshParts
  await expect(refreshToken(parts, { token, now: NOON })).rejects.toMatchObject({
    code: 'storage_unavailable',
    facts: { retryAfterSeconds: 2 },
  })
})

import { expect, test } from 'vitest'
import type { RenewalObserver } from '../../src/domain/observer.ts'
import type { Providers, RefreshOutcome } from '../../src/domain/provider.ts'
import type { Claim, Settlement } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import { renewToken } from '../../src/vault/renew-token.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from '../support/domain.ts'

const TOKEN = tokenOf({ id: 'token-1', clientId: 'client', refreshToken: 'refresh-1' })
const CLAIM: Claim = { token: TOKEN, fence: 1, claimedAt: NOON, leaseSeconds: 25, forced: false, pause: null }
const TOO_LATE: RefreshOutcome = { kind: 'unavailable', error: 'too_late', sent: false }

test('a claim that took long to be made leaves no failure in the future, and no longer wait for it', async () => {
  const settlements: Settlement[] = []
  const store: Partial<TokenStore> = {
    settle: (_claim, settlement) => {
      settlements.push(settlement)
      return Promise.resolve(settlement.token)
    },
  }
  const parts = {
    store: store as TokenStore,
    providers: { refresh: () => Promise.resolve(TOO_LATE) } as Partial<Providers> as Providers,
    policy: { marginSeconds: 600, random: () => 0.5 },
    clock: { monotonicMs: () => 9_000, sleep: () => new Promise<void>(() => undefined) },
    observer: { renewalSettled: () => undefined } as Partial<RenewalObserver> as RenewalObserver,
  }
  const renewal = await renewToken(parts, CLAIM, ZOHO, 0)
  expect(settlements).toMatchObject([{ token: { lastError: { at: NOON }, retryAt: inSeconds(1) } }])
  expect(renewal).toMatchObject({ now: NOON, renewed: false })
})

import { expect, test } from 'vitest'
import type { Provider, Providers, RefreshRequest } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { Token } from '../../src/domain/token.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { createPlaces } from '../../src/vault/places.ts'
import { createRenewals } from '../../src/vault/renewals.ts'
import { NOON } from '../support/domain.ts'
import { ACME, claimOf } from '../support/settling.ts'

const ROTATING: Provider = { ...ACME, rotates: 'always', reuseGraceSeconds: 30 }
const silent = () => undefined
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 20))

/** A replica that finds one token due, loses the answer, and leaves its provider alone from then on, or does not. */
function losing(provider: Provider, isLeftAlone: boolean) {
  const clock = { ms: 0, monotonicMs: () => clock.ms, sleep: () => new Promise<void>(silent) }
  const requests: RefreshRequest[] = []
  const claimed: Token[] = []
  const first = [claimOf()]
  const claimAgain = (token: Token): Claim => {
    const claimedAt = new Date(NOON.getTime() + clock.ms)
    return { ...claimOf(), token, fence: token.fence, claimedAt }
  }
  const store: Partial<TokenStore> = {
    claimDue: () => Promise.resolve(first.splice(0)),
    claim: (token) => {
      claimed.push(token)
      return Promise.resolve(claimAgain(token))
    },
    settle: (_claim, { token }) => Promise.resolve(token),
  }
  const providers: Partial<Providers> = {
    find: () => provider,
    all: () => [provider],
    leftAlone: () => (isLeftAlone ? { probes: 0, retryAfterSeconds: 60 } : null),
    refresh: (request) => {
      const isSent = requests.length === 0 || request.cannotWait
      requests.push(request)
      return Promise.resolve({
        kind: 'unavailable',
        error: isSent ? 'ECONNRESET' : 'breaker_open',
        sent: isSent,
      })
    },
  }
  const renewals = createRenewals({
    store: store as TokenStore,
    providers: providers as Providers,
    policy: { marginSeconds: 600, random: () => 0.5 },
    clock,
    observer: {
      renewalSettled: silent,
      clientPaused: silent,
      renewalNotStored: silent,
      renewalEndedWithoutOutcome: silent,
      refresherFailed: silent,
    },
    places: createPlaces(8),
    headStart: createHeadStart(clock),
  })
  const searchAt = async (seconds: number) => {
    clock.ms = seconds * 1000
    await renewals.renewDue()
    await turn()
  }
  return { requests, claimed, searchAt }
}

test('a lost answer is replayed until its grace is over, though its provider is left alone', async () => {
  const { requests, searchAt } = losing(ROTATING, true)
  await searchAt(0)
  expect(requests.map(({ cannotWait }) => cannotWait)).toEqual([false])
  for (let second = 1; second < 30; second += 1) await searchAt(second)
  const replays = requests.slice(1)
  expect(replays.length).toBeGreaterThan(2)
  expect(new Set(replays.map(({ cannotWait }) => cannotWait))).toEqual(new Set([true]))
  const sent = requests.length
  for (let second = 30; second < 90; second += 1) await searchAt(second)
  expect(requests).toHaveLength(sent)
})

test.each([
  ['that is not left alone: it is claimed with all that is due', ROTATING, false],
  ['that grants no reuse', { ...ROTATING, reuseGraceSeconds: 0 }, true],
  ['that does not rotate', { ...ROTATING, rotates: 'never' }, true],
] as const)('it is not claimed by itself at a provider %s', async (_which, provider, isLeftAlone) => {
  const { claimed, searchAt } = losing(provider, isLeftAlone)
  for (let second = 0; second < 40; second += 1) await searchAt(second)
  expect(claimed).toEqual([])
})

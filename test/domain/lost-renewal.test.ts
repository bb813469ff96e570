import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMassFailure } from '../../src/domain/client.ts'
import type { Provider } from '../../src/domain/provider.ts'
import type { RenewalOutcome } from '../../src/domain/renewal-outcome.ts'
import {
  isDeathExplained,
  isReplayInGrace,
  renewalTerms,
  sendWithinSeconds,
} from '../../src/domain/renewal.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { LastError } from '../../src/domain/token.ts'
import { inSeconds, NOON } from '../support/domain.ts'
import { ACME, claimOf, RENEWED, secondsAfter, settle } from '../support/settling.ts'

describe('the lease and the gate', () => {
  const rotating = (reuseGraceSeconds: number): Provider => ({
    ...ACME,
    rotates: 'always',
    timeoutSeconds: 45,
    reuseGraceSeconds,
  })

  test.each([
    ['a provider that does not rotate', { ...ACME, reuseGraceSeconds: 10 }, 25, 10],
    ['one that grants no reuse', rotating(0), 95, 45],
    ['one that grants too little to be of use', rotating(5), 95, 45],
    ['one that grants little', rotating(6), 2, 1],
    ['one that grants less than a full lease', rotating(60), 12, 6],
    ['one that grants more', rotating(1800), 95, 45],
  ])('of %s', (_whose, provider, leaseSeconds, gateSeconds) => {
    expect(renewalTerms(provider).leaseSeconds).toBe(leaseSeconds)
    expect(sendWithinSeconds(provider)).toBe(gateSeconds)
  })

  test('let a lost claim be found and replayed within the grace, and a request arrive within the lease', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 4000 }), (timeout, grace) => {
        const provider = { ...rotating(grace), timeoutSeconds: timeout }
        const { leaseSeconds, replayLeaseSeconds } = renewalTerms(provider)
        const gate = sendWithinSeconds(provider)
        expect(gate).toBeGreaterThan(0)
        const isFound = leaseSeconds <= Math.max(grace / 2, 0)
        const hasArrived = gate + timeout < leaseSeconds
        expect(isFound || hasArrived).toBe(true)
        const isFull = leaseSeconds === timeout * 2 + 5
        expect(replayLeaseSeconds).toBe(isFull ? leaseSeconds : leaseSeconds / 2)
      }),
    )
  })
})

describe('an outcome that was lost', () => {
  const STRICT: Provider = { ...ACME, rotates: 'always', timeoutSeconds: 45 }
  const CUT: RenewalOutcome = { kind: 'unavailable', error: 'ECONNRESET', sent: true }
  const GRACIOUS: Provider = { ...STRICT, reuseGraceSeconds: 30 }

  test.each([
    ['the connection broke after the request', STRICT, CUT, NOON],
    ['the answer made no sense', STRICT, { kind: 'nonsense', error: 'not_json' }, NOON],
    [
      'the answer was an error that nobody knows',
      STRICT,
      { kind: 'nonsense', error: 'odd', failed: true },
      null,
    ],
    ['the provider said that it failed', STRICT, { ...CUT, error: 'http_503', failed: true }, null],
    ['it refused by a page', STRICT, { kind: 'nonsense', error: 'http_404', failed: true }, null],
    ['the request never left', STRICT, { ...CUT, sent: false }, null],
    ['the provider throttled', STRICT, { kind: 'throttled', error: 'x', retryAfterSeconds: null }, null],
    ['the provider does not rotate', ACME, CUT, null],
  ] as [string, Provider, RenewalOutcome, Date | null][])('%s', (_why, provider, outcome, lostAt) => {
    expect(settle(outcome, { provider }).token.lostAt).toEqual(lostAt)
  })

  test('is the reason that is given when the provider then refuses the refresh token', () => {
    const claim = claimOf({ lostAt: inSeconds(-100) })
    const { token } = settle({ kind: 'dead', error: 'invalid_grant' }, { claim, provider: STRICT })
    expect(token).toMatchObject({ status: 'reauth_required', lastError: { code: 'reauth_required' } })
    expect(token.lastError?.detail).toContain(`renewal of ${inSeconds(-100).toISOString()} was lost`)
  })

  test.each([
    ['of a strict provider, at once', STRICT, 0, true],
    ['within the grace: the replaced refresh token would have worked', GRACIOUS, 29, false],
    ['after the grace', GRACIOUS, 30, true],
    ['of a provider that does not rotate', ACME, 100, false],
  ] as const)('explains a death, or does not: %s', (_when, provider, secondsAgo, isExplained) => {
    const claim = claimOf({ lostAt: inSeconds(-secondsAgo) })
    expect(isDeathExplained(claim, provider)).toBe(isExplained)
  })

  test.each([
    ['within the grace', GRACIOUS, 29, null, true],
    ['after it', GRACIOUS, 30, null, false],
    ['of a provider that grants none', STRICT, 1, null, false],
    ['of a provider that does not rotate', { ...ACME, reuseGraceSeconds: 30 }, 1, null, false],
    ['of a refresh token that has been replaced since', GRACIOUS, 10, inSeconds(-5), false],
  ] as const)(
    'is replayed though the client is paused, or is not: %s',
    (_when, provider, ago, refreshedAt, is) => {
      expect(isReplayInGrace(claimOf({ lostAt: inSeconds(-ago), refreshedAt }), provider)).toBe(is)
      expect(isReplayInGrace(claimOf({ lostAt: null }), provider)).toBe(false)
    },
  )

  test('is forgotten with the next success, and stays known through other failures', () => {
    const claim = claimOf({ lostAt: inSeconds(-100) })
    expect(settle(RENEWED, { claim, provider: STRICT }).token.lostAt).toBeNull()
    const failed: RenewalOutcome = { kind: 'throttled', error: 'x', retryAfterSeconds: null }
    expect(settle(failed, { claim, provider: STRICT }).token.lostAt).toEqual(inSeconds(-100))
  })

  test.each([
    ['within the grace is the one that counts', -26, -26],
    ['whose grace is over gives way to the next, which has a grace of its own', -27, 0],
  ])('%s', (_which, before, counts) => {
    const claim = claimOf({ lostAt: inSeconds(before) })
    expect(settle(CUT, { claim, provider: GRACIOUS }).token.lostAt).toEqual(inSeconds(counts))
  })

  test('is replayed within the grace however long the provider was away before', () => {
    const longAgo: LastError = { code: 'provider_unavailable', detail: '', at: NOON, attempts: 40 }
    fc.assert(
      fc.property(
        fc.integer({ min: 27, max: 3600 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (ago, chance) => {
          const claim = claimOf({ lostAt: inSeconds(-ago), lastError: longAgo })
          const { token } = settle(CUT, { claim, provider: GRACIOUS, chance })
          expect(secondsAfter(token.refreshDueAt)).toBeLessThanOrEqual(10)
        },
      ),
    )
  })

  test.each([
    [
      'is left alone for no longer than the grace allows where the provider only says that it throttles',
      null,
      8,
    ],
    ['is left alone for as long as the provider asks', 40, 40],
  ])('%s', (_what, retryAfterSeconds, waits) => {
    const claim = claimOf({ lostAt: inSeconds(-3) })
    const outcome: RenewalOutcome = { kind: 'throttled', error: 'http_429', retryAfterSeconds }
    const { token } = settle(outcome, { claim, provider: GRACIOUS })
    expect(secondsAfter(token.retryAt)).toBe(waits)
  })

  test('is followed by one more renewal in the grace, since the request that was cut off may come behind its replay', () => {
    const replayed = (
      lostAt: Date,
      provider = GRACIOUS,
      refreshToken: Secret | null = new Secret('refresh-2'),
    ) => settle({ ...RENEWED, refreshToken }, { claim: claimOf({ lostAt }), provider }).token
    // Of several that were cut off, the last may be a moment ago though the first is long past.
    for (const lostAt of [inSeconds(-1), inSeconds(-29)]) {
      const token = replayed(lostAt)
      expect([token.lostAt, secondsAfter(token.refreshDueAt)]).toEqual([lostAt, 18])
    }
    const usual = secondsAfter(settle(RENEWED).token.refreshDueAt)
    for (const { lostAt, refreshDueAt } of [
      replayed(inSeconds(-30)),
      // It has arrived by now, or never will.
      replayed(inSeconds(-95), { ...GRACIOUS, reuseGraceSeconds: 86_400 }),
      replayed(inSeconds(-1), STRICT),
      replayed(inSeconds(-1), { ...GRACIOUS, rotates: 'never' }),
      replayed(inSeconds(-1), GRACIOUS, null),
    ])
      expect([lostAt, secondsAfter(refreshDueAt)]).toEqual([null, usual])
  })

  test('is asked for again within what is left of the grace, whatever the back-off says', () => {
    const lastError = { code: 'provider_unavailable', detail: '', at: NOON, attempts: 12 } as const
    const claim = claimOf({ lastError, lostAt: NOON })
    const { token } = settle(CUT, { claim, provider: GRACIOUS, chance: 0.999 })
    expect(secondsAfter(token.refreshDueAt)).toBeLessThan(9.01)
    expect(
      secondsAfter(settle(CUT, { claim, provider: STRICT, chance: 0.999 }).token.refreshDueAt),
    ).toBeGreaterThan(200)
  })
})

describe('an outcome that is lost of the refresh token that a replay has brought', () => {
  const GRACIOUS: Provider = { ...ACME, rotates: 'always', timeoutSeconds: 45, reuseGraceSeconds: 30 }
  const CUT: RenewalOutcome = { kind: 'unavailable', error: 'ECONNRESET', sent: true }
  const lastError = { code: 'provider_unavailable', detail: '', at: NOON, attempts: 12 } as const
  const inDoubt = { lastError, lostAt: inSeconds(-28), refreshedAt: inSeconds(-20) }

  test('has a grace of its own: it is asked for again within that, and names the right renewal', () => {
    const { token } = settle(CUT, { claim: claimOf(inDoubt), provider: GRACIOUS, chance: 0.999 })
    expect(token.lostAt).toEqual(NOON)
    expect(secondsAfter(token.refreshDueAt)).toBeLessThan(9.01)
  })

  test('counts from the first of its own losses', () => {
    const claim = claimOf({ ...inDoubt, lostAt: inSeconds(-10) })
    const { token } = settle(CUT, { claim, provider: GRACIOUS, chance: 0.999 })
    expect(token.lostAt).toEqual(inSeconds(-10))
    expect(secondsAfter(token.refreshDueAt)).toBeLessThan(17 / 3 + 0.01)
  })
})

describe('the pause of a client', () => {
  const PAUSE = { reason: 'client_refused', until: inSeconds(900) } as const

  test('begins when the provider refuses it, or when its tokens die in masses', () => {
    expect(settle({ kind: 'client_refused', error: 'invalid_client' }, { chance: 0 }).pause).toEqual({
      reason: 'client_refused',
      until: inSeconds(903),
    })
    const braked: RenewalOutcome = { kind: 'mass_failure', error: 'invalid_grant', seconds: 1000 }
    expect(settle(braked, { chance: 0 }).pause).toEqual({ reason: 'mass_failure', until: inSeconds(1003) })
  })

  test('is lifted by a success, and by nothing else', () => {
    const claim = { ...claimOf(), pause: PAUSE }
    expect(settle(RENEWED, { claim }).pause).toBeNull()
    expect(settle(RENEWED).pause).toBeUndefined()
    for (const kind of ['dead', 'misconfigured', 'nonsense'] as const) {
      expect(settle({ kind, error: 'x' }, { claim }).pause).toBeUndefined()
    }
  })

  test('costs a token no attempt at the provider, and lets a caller look again within 30 s', () => {
    const paused: RenewalOutcome = { kind: 'paused', error: 'client_refused', seconds: 900 }
    const { token, pause } = settle(paused, { chance: 0.5 })
    expect(token).toMatchObject({ status: 'failing', renewals: [] })
    expect(secondsAfter(token.refreshDueAt)).toBeCloseTo(945)
    expect(secondsAfter(token.retryAt)).toBe(30)
    expect(pause).toBeUndefined()
  })
})

test('a mass failure is more than 5 % of a client within the window, and 10 at least, or more than 1,000', () => {
  const judge = (died: number, tokens: number) => isMassFailure({ died, tokens })
  // A client of a million tokens: they are counted no further than the deaths ask for.
  expect([judge(1000, 20_000), judge(1001, 20_020)]).toEqual([false, true])
  expect([judge(9, 9), judge(10, 10), judge(10, 199), judge(10, 200), judge(51, 1000)]).toEqual([
    false,
    true,
    true,
    false,
    true,
  ])
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAskedToWait } from '../../src/domain/freshness.ts'
import type { RefreshOutcome } from '../../src/domain/provider.ts'
import { UNKNOWN_API_DOMAIN } from '../../src/domain/provider.ts'
import type { Failure } from '../../src/domain/renewal-outcome.ts'
import { renewalTerms } from '../../src/domain/renewal.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Token } from '../../src/domain/token.ts'
import { inSeconds, NOON, ZOHO } from '../support/domain.ts'
import { ACME, ANSWERED, claimOf, RENEWED, secondsAfter, settle } from '../support/settling.ts'

describe('a renewal that succeeds', () => {
  test('counts the expiry from the claim, not from the receipt of the answer', () => {
    const { token } = settle(RENEWED)
    expect(token.expiresAt).toEqual(inSeconds(3600))
    expect(token.refreshedAt).toEqual(NOON)
    expect(token.lifetimeSeconds).toBe(3600)
  })

  test('keeps the refresh token where none comes, and with it the count of its renewals', () => {
    const { token } = settle(RENEWED)
    expect(token.refreshToken?.reveal()).toBe('refresh-1')
    expect(token.renewals).toEqual([NOON])
  })

  test('counts anew where the refresh token is replaced, and not where the same one comes back', () => {
    const rotated = settle({ ...RENEWED, refreshToken: new Secret('refresh-2') }).token
    expect(rotated.refreshToken?.reveal()).toBe('refresh-2')
    expect(rotated.renewals).toEqual([])
    expect(settle({ ...RENEWED, refreshToken: new Secret('refresh-1') }).token.renewals).toEqual([NOON])
  })

  test('clears every trace of failure', () => {
    const lastError = { code: 'provider_error', detail: '', at: NOON, attempts: 7 } as const
    const claim = claimOf({ status: 'failing', lastError, retryAt: NOON })
    const { token, event } = settle(RENEWED, { claim })
    expect(token).toMatchObject({ status: 'active', lastError: null, retryAt: null })
    expect(event.type).toBe('renewal.succeeded')
  })

  test('leaves the expiry unknown where the provider says none, and is due by the usual life', () => {
    const { token } = settle({ ...RENEWED, expiresInSeconds: null }, { chance: 0 })
    expect(token.expiresAt).toBeNull()
    expect(token.lifetimeSeconds).toBe(3600)
    expect(token.refreshDueAt).toEqual(inSeconds(3000))
  })

  test('falls due before the expiry by the margin and by at most a tenth of the life more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (life, chance) => {
          const { token } = settle({ ...RENEWED, expiresInSeconds: life }, { chance, provider: ACME })
          const early = life - secondsAfter(token.refreshDueAt, NOON)
          const margin = Math.min(600, life / 5)
          expect(early).toBeGreaterThanOrEqual(margin - 0.001)
          expect(early).toBeLessThanOrEqual(margin + life / 10 + 0.001)
        },
      ),
    )
  })

  test('falls due no sooner than the provider allows', () => {
    const renewals = Array.from({ length: 10 }, (_, index) => inSeconds(index - 9))
    const { token } = settle({ ...RENEWED, expiresInSeconds: 60 }, { claim: claimOf({ renewals }) })
    expect(token.refreshDueAt).toEqual(inSeconds(600 - 9))
  })
})

describe('a renewal that fails', () => {
  const FAILURES: [Failure, string, Token['status'], string][] = [
    [{ kind: 'dead', error: 'invalid_code' }, 'reauth_required', 'reauth_required', 'sign in again'],
    [{ kind: 'data_centre_unknown', error: 'invalid_code' }, 'data_centre_unknown', 'failing', 'api_domain'],
    [
      { kind: 'data_centre_unknown', error: 'unknown_api_domain' },
      'data_centre_unknown',
      'failing',
      "no data centre has the token's api_domain",
    ],
    [{ kind: 'client_refused', error: 'invalid_client' }, 'client_refused', 'failing', 'client_secret'],
    [{ kind: 'misconfigured', error: 'invalid_scope' }, 'client_refused', 'failing', 'invalid_scope'],
    [
      { kind: 'paused', error: 'client_refused', seconds: 60 },
      'client_refused',
      'failing',
      'force a refresh',
    ],
    [{ kind: 'paused', error: 'mass_failure', seconds: 60 }, 'mass_failure', 'failing', 'many users'],
    [{ kind: 'mass_failure', error: 'invalid_grant', seconds: 60 }, 'mass_failure', 'failing', 'many users'],
    [
      { kind: 'throttled', error: 'Access Denied', retryAfterSeconds: null },
      'provider_throttled',
      'failing',
      'Access Denied',
    ],
    [{ kind: 'nonsense', error: 'not_json' }, 'provider_error', 'failing', 'not_json'],
    [{ kind: 'unavailable', error: 'http_500', sent: true }, 'provider_unavailable', 'failing', 'http_500'],
    [
      { kind: 'unavailable', error: 'address_not_allowed', sent: true },
      'provider_unavailable',
      'failing',
      'private_network',
    ],
    [
      { kind: 'unavailable', error: 'secret_unreadable', sent: true },
      'provider_unavailable',
      'failing',
      'master key',
    ],
  ]

  test.each(FAILURES)('says why and what to do: %o', (outcome, code, status, hint) => {
    const { token, event } = settle(outcome)
    expect(token.status).toBe(status)
    expect(token.lastError).toMatchObject({ code, at: ANSWERED, attempts: 1 })
    expect(token.lastError?.detail).toContain(hint)
    const sent = outcome.kind !== 'paused' && outcome.error !== 'unknown_api_domain'
    const facts = { fence: 1, claimed_at: NOON.toISOString(), code, error: outcome.error, sent, attempts: 1 }
    expect(event).toMatchObject({ type: 'renewal.failed', actor: 'refresher', facts })
    expect(event.facts?.['retry_at']).toBe(token.retryAt?.toISOString())
  })

  test.each([
    [{ sent: false }, 'nothing was sent (timeout)'],
    [{ sent: true }, 'no answer (timeout)'],
    [{ sent: true, failed: true }, 'the provider answered timeout'],
  ] as const)('tells silence from what was never asked: %o', (how, said) => {
    const { token } = settle({ kind: 'unavailable', error: 'timeout', ...how })
    expect(token.lastError?.detail).toBe(`${said}: the vault tries again`)
  })

  test.each(FAILURES)('takes nothing of the token away: %o', (outcome) => {
    const { accessToken, refreshToken, expiresAt, refreshedAt, lifetimeSeconds } = claimOf().token
    const { token } = settle(outcome)
    expect(token.accessToken?.reveal()).toBe(accessToken?.reveal())
    expect(token.refreshToken?.reveal()).toBe(refreshToken?.reveal())
    expect(token).toMatchObject({ expiresAt, refreshedAt, lifetimeSeconds })
  })

  test('is never tried again where the grant is dead', () => {
    const { token } = settle({ kind: 'dead', error: 'invalid_grant' })
    expect(token).toMatchObject({ refreshDueAt: null, retryAt: null })
  })

  test('counts the failures in a row', () => {
    const lastError = { code: 'provider_error', detail: '', at: NOON, attempts: 3 } as const
    const { token } = settle({ kind: 'nonsense', error: 'not_json' }, { claim: claimOf({ lastError }) })
    expect(token.lastError?.attempts).toBe(4)
  })

  test('is no failure of the provider where the claim itself took too long: soon again, and not counted', () => {
    const lastError = { code: 'provider_unavailable', detail: '', at: NOON, attempts: 9 } as const
    const late = { kind: 'unavailable', error: 'too_late', sent: false } as const
    const { token, event } = settle(late, { claim: claimOf({ lastError }), provider: ACME, chance: 0.5 })
    expect(token.lastError?.attempts).toBe(9)
    expect([secondsAfter(token.refreshDueAt), secondsAfter(token.retryAt)]).toEqual([1, 1])
    expect(event.facts).toMatchObject({ sent: false })
  })

  test('backs off exponentially with full jitter: from at once to 5 minutes, a caller never over 2 s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1000 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.constantFrom<RefreshOutcome>(
          { kind: 'unavailable', error: 'http_500', sent: true },
          { kind: 'nonsense', error: 'not_json' },
        ),
        (failures, chance, outcome) => {
          const lastError = { code: 'provider_error', detail: '', at: NOON, attempts: failures } as const
          const { token } = settle(outcome, { claim: claimOf({ lastError }), provider: ACME, chance })
          const ceiling = Math.min(300, 2 * 2 ** (failures + 1))
          expect(secondsAfter(token.refreshDueAt)).toBeCloseTo(chance * ceiling, 2)
          expect(secondsAfter(token.retryAt)).toBeCloseTo(Math.min(2, chance * ceiling), 2)
        },
      ),
    )
  })

  test.each([
    ['what Retry-After asks', 42, ZOHO, 42],
    ["the provider's whole window without it", null, ZOHO, 600],
    ['a minute where the provider has no window', null, ACME, 60],
  ])(
    'waits %s when it is throttled, the refresher a little longer',
    (_what, retryAfterSeconds, provider, wait) => {
      const outcome: RefreshOutcome = { kind: 'throttled', error: 'Access Denied', retryAfterSeconds }
      const { token } = settle(outcome, { provider, chance: 0.5 })
      expect(secondsAfter(token.retryAt)).toBe(wait)
      expect(secondsAfter(token.refreshDueAt)).toBeCloseTo(wait * 1.05, 3)
    },
  )

  test('is tried again within a minute where nothing was sent: another replica may know the data centre', () => {
    const outcome = { kind: 'data_centre_unknown', error: UNKNOWN_API_DOMAIN } as const
    expect(secondsAfter(settle(outcome, { chance: 0 }).token.retryAt)).toBe(30)
    expect(secondsAfter(settle(outcome, { chance: 0.999 }).token.refreshDueAt)).toBeCloseTo(60, 0)
  })

  test.each([0, 1, 2, 3])('is left alone, forced or not, where a provider asks for %i s', (seconds) => {
    const outcome = {
      kind: 'unavailable',
      error: 'http_503',
      sent: true,
      retryAfterSeconds: seconds,
    } as const
    const { token } = settle(outcome, { chance: 0 })
    expect(secondsAfter(token.retryAt)).toBe(3)
    expect(isAskedToWait(token, ANSWERED)).toBe(true)
  })

  test.each(['client_refused', 'misconfigured', 'data_centre_unknown'] as const)(
    'is tried again every 15 to 30 minutes where somebody has to mend something: %s',
    (kind) => {
      expect(secondsAfter(settle({ kind, error: 'x' }, { chance: 0 }).token.refreshDueAt)).toBe(900)
      const { refreshDueAt } = settle({ kind, error: 'x' }, { chance: 0.999 }).token
      expect(secondsAfter(refreshDueAt)).toBeCloseTo(1799, 0)
    },
  )

  test('of a client that is refused may be asked for as often as one looks whether it is still paused', () => {
    const refused = { kind: 'client_refused', error: 'invalid_client' } as const
    expect(secondsAfter(settle(refused, { chance: 0.5 }).token.retryAt)).toBe(30)
  })

  test.each([
    ['with jitter', 1, 126],
    ['backing off all the same, so that tokens in masses are not tried again and again', 20, 270],
  ])('waits for as long as a provider that is unavailable asks for, %s', (_how, attempts, wait) => {
    const outcome = { kind: 'unavailable', error: 'http_503', sent: true, retryAfterSeconds: 120 } as const
    const lastError = { code: 'provider_unavailable', detail: '', at: NOON, attempts } as const
    const { token } = settle(outcome, { claim: claimOf({ lastError }), chance: 0.5 })
    expect(secondsAfter(token.retryAt)).toBe(120)
    expect(secondsAfter(token.refreshDueAt)).toBeCloseTo(wait)
  })

  test('is a free retry where the request was not sent: the provider has not counted it', () => {
    const claim = claimOf({ renewals: [inSeconds(-100), NOON] })
    const notSent = settle({ kind: 'unavailable', error: 'ECONNREFUSED', sent: false }, { claim })
    expect(notSent.token.renewals).toEqual([inSeconds(-100)])
    const sent = settle({ kind: 'unavailable', error: 'timeout', sent: true }, { claim })
    expect(sent.token.renewals).toEqual([inSeconds(-100), NOON])
  })

  test('is not tried again, by anyone, before the provider allows another', () => {
    const renewals = Array.from({ length: 10 }, (_, index) => inSeconds(index - 9))
    const { token } = settle({ kind: 'nonsense', error: 'not_json' }, { claim: claimOf({ renewals }) })
    expect(token.refreshDueAt).toEqual(inSeconds(600 - 9))
    expect(token.retryAt).toEqual(inSeconds(600 - 9))
  })
})

test.each([10, 45])('a claim holds for twice the time limit of %i s and 5 s', (timeoutSeconds) => {
  const terms = renewalTerms({ ...ZOHO, timeoutSeconds })
  expect(terms.leaseSeconds).toBe(timeoutSeconds * 2 + 5)
})

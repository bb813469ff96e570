import { describe, expect, test } from 'vitest'
import { canRenew, renewalError, whyNotFresh } from '../../src/domain/freshness.ts'
import { floorUntil, hasLife, isLive, nextSlot } from '../../src/domain/life.ts'
import type { LastError } from '../../src/domain/token.ts'
import type { TokenWords } from '../support/domain.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from '../support/domain.ts'

const EXPIRED: TokenWords = {
  id: 'token-1',
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresAt: inSeconds(-1),
  lifetimeSeconds: 3600,
}
const LIVING = { ...EXPIRED, expiresAt: inSeconds(100) }
const errorOf = (code: LastError['code']): LastError => ({ code, detail: 'why', at: NOON, attempts: 1 })
const spent = Array.from({ length: 10 }, (_, index) => inSeconds(index * 10 - 100))

describe('life', () => {
  test.each<[string, Partial<TokenWords>, boolean]>([
    ['before its expiry', { expiresAt: inSeconds(0.001) }, true],
    ['not at its expiry', { expiresAt: NOON }, false],
    ['where the expiry is unknown', { expiresAt: null }, true],
  ])('a token lives %s', (_when, words, lives) => {
    expect(isLive(tokenOf({ ...EXPIRED, ...words }), NOON)).toBe(lives)
  })

  test('a token without an access token does not live', () => {
    expect(isLive(tokenOf({ id: 'token-1', refreshToken: 'refresh-1' }), NOON)).toBe(false)
  })

  test.each([
    ['as much as was asked for', 100, 3600, 100, true],
    ['less than was asked for', 99, 3600, 100, false],
    ['four fifths of its own life where more was asked for', 80, 100, 3600, true],
    ['less than four fifths of its own life', 79, 100, 3600, false],
  ])('a token has life enough or not: %s', (_what, left, lifetimeSeconds, minTtl, enough) => {
    const token = tokenOf({ ...EXPIRED, expiresAt: inSeconds(left), lifetimeSeconds })
    expect(hasLife(token, NOON, minTtl)).toBe(enough)
  })

  test('a token of unknown expiry has life enough until it falls due', () => {
    const unknown = { ...EXPIRED, expiresAt: null }
    expect(hasLife(tokenOf({ ...unknown, refreshDueAt: inSeconds(1) }), NOON, 60)).toBe(true)
    expect(hasLife(tokenOf({ ...unknown, refreshDueAt: NOON }), NOON, 60)).toBe(false)
    expect(hasLife(tokenOf(unknown), NOON, 60)).toBe(true)
  })

  test.each([
    ['the interval', 3600, 60],
    ['a fifth of its life where that is less', 100, 20],
  ])('a living token is not renewed again within %s', (_what, lifetimeSeconds, seconds) => {
    const token = tokenOf({ ...LIVING, lifetimeSeconds, refreshedAt: NOON })
    expect(floorUntil(token, ZOHO)).toEqual(inSeconds(seconds))
  })

  test("the next slot is free when the oldest renewal within the provider's limit leaves the window", () => {
    expect(nextSlot(spent.slice(1), ZOHO, NOON)).toEqual(NOON)
    expect(nextSlot(spent, ZOHO, NOON)).toEqual(inSeconds(500))
    expect(nextSlot(spent, ZOHO, inSeconds(501))).toEqual(inSeconds(501))
    expect(nextSlot(spent, { ...ZOHO, limit: null }, NOON)).toEqual(NOON)
  })
})

describe('a wish for a fresh token leads to a request', () => {
  test.each<[string, Partial<TokenWords>, boolean]>([
    ['when it has expired', {}, true],
    ['when it has expired though it was renewed just now', { refreshedAt: inSeconds(-1) }, true],
    [
      'not when it lives and was renewed just now',
      { expiresAt: inSeconds(9), refreshedAt: inSeconds(-1) },
      false,
    ],
    [
      'when it lives and was renewed long ago',
      { expiresAt: inSeconds(9), refreshedAt: inSeconds(-61) },
      true,
    ],
    ['not when a failed renewal waits', { retryAt: inSeconds(1) }, false],
    ['when a failed renewal has waited', { retryAt: NOON }, true],
    ['not when the grant is dead', { status: 'reauth_required' }, false],
    ["not when the provider's limit is spent", { renewals: spent }, false],
  ])('%s', (_when, words, leads) => {
    expect(canRenew(tokenOf({ ...EXPIRED, ...words }), ZOHO, NOON)).toBe(leads)
  })

  test('not without a refresh token, a client or a provider', () => {
    expect(canRenew(tokenOf({ id: 'token-1', clientId: 'client' }), ZOHO, NOON)).toBe(false)
    expect(canRenew(tokenOf({ id: 'token-1', refreshToken: 'refresh-1' }), ZOHO, NOON)).toBe(false)
    expect(canRenew(tokenOf(EXPIRED), null, NOON)).toBe(false)
  })
})

describe('why no fresh token can be had', () => {
  test.each<[string, TokenWords, typeof ZOHO | null]>([
    ['refresh_token', { id: 'token-1', clientId: 'client' }, ZOHO],
    ['client_id', { id: 'token-1', refreshToken: 'refresh-1' }, ZOHO],
    ['not configured, zoho', EXPIRED, null],
  ])('is said by name where something is missing: %s', (what, words, provider) => {
    const error = whyNotFresh(tokenOf(words), provider, NOON)
    expect(error.code).toBe('not_refreshable')
    expect(error.message).toContain(what)
  })

  test("is the provider's limit, until its next slot", () => {
    const error = whyNotFresh(tokenOf({ ...EXPIRED, renewals: spent }), ZOHO, NOON)
    expect(error).toMatchObject({ code: 'provider_throttled', facts: { retryAfterSeconds: 500 } })
  })

  test('is that the provider asked for a wait that came with the refresh token, the later one of two', () => {
    const held = { ...EXPIRED, retryAt: inSeconds(60) }
    const why = (words: TokenWords) => whyNotFresh(tokenOf(words), ZOHO, NOON)
    expect(why(held)).toMatchObject({ code: 'provider_throttled', facts: { retryAfterSeconds: 60 } })
    expect(why({ ...held, renewals: spent })).toMatchObject({ facts: { retryAfterSeconds: 500 } })
  })

  test('is the last failure where there is one', () => {
    const token = tokenOf({ ...EXPIRED, lastError: errorOf('client_refused') })
    expect(whyNotFresh(token, ZOHO, NOON).code).toBe('client_refused')
  })

  test('is a provider that did not answer in time where nothing else is known', () => {
    const error = whyNotFresh(tokenOf(EXPIRED), ZOHO, NOON)
    expect(error).toMatchObject({ code: 'provider_unavailable', facts: { retryAfterSeconds: 1 } })
  })
})

describe('a failed renewal is told', () => {
  test.each<[LastError['code'], string, number | undefined]>([
    ['reauth_required', 'reauth_required', undefined],
    ['client_refused', 'client_refused', undefined],
    ['provider_error', 'provider_error', undefined],
    ['data_centre_unknown', 'provider_error', undefined],
    ['provider_throttled', 'provider_throttled', 43],
    ['provider_unavailable', 'provider_unavailable', 43],
  ])('%s as %s', (failure, code, retryAfterSeconds) => {
    const token = tokenOf({ ...EXPIRED, lastError: errorOf(failure), retryAt: inSeconds(42.001) })
    const error = renewalError(token, NOON)
    expect(error.code).toBe(code)
    expect(error.facts.retryAfterSeconds).toBe(retryAfterSeconds)
    expect(error.message).toContain('why')
  })

  test('with a Retry-After of a second at least', () => {
    const token = tokenOf({ ...EXPIRED, lastError: errorOf('provider_throttled'), retryAt: inSeconds(-9) })
    expect(renewalError(token, NOON).facts.retryAfterSeconds).toBe(1)
  })
})

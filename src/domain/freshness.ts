import type { ErrorCode } from './errors.ts'
import { VaultError } from './errors.ts'
import { floorUntil, hasRefreshGrant, isLive, nextSlot } from './life.ts'
import type { LeftAlone, Provider } from './provider.ts'
import { isLossForgiven } from './renewal.ts'
import { CALLER_RETRY_SECONDS } from './retry.ts'
import { later, secondsBetween, wholeSeconds } from './time.ts'
import type { LastError, Token } from './token.ts'

/** May a caller's wish for a fresh token lead to a request now? The claim decides; this spares it the hopeless ones. */
export function canRenew(token: Token, provider: Provider | null, now: Date): provider is Provider {
  if (provider === null || !hasRefreshGrant(token) || token.status === 'reauth_required') return false
  if (token.retryAt !== null && token.retryAt > now) return false
  if (nextSlot(token.renewals, provider, now) > now) return false
  return !isTooSoon(token, provider, now)
}

/** The token was renewed so lately that the one there is will do, while it lives. */
export function isTooSoon(token: Token, provider: Provider, now: Date): boolean {
  const floor = floorUntil(token, provider)
  return floor !== null && floor > now && isLive(token, now)
}

/**
 * May a caller's wish wait while the provider does not answer this replica? Not for a token that nobody else would look
 * for, nor one that is being renewed, or that has to be replayed.
 */
export function mayWait(token: Token, provider: Provider, now: Date): boolean {
  return token.refreshDueAt !== null && token.leaseUntil === null && !isLossForgiven(token, provider, now)
}

/** Has a renewal succeeded between these two states of a token? */
export function isRenewedSince({ refreshedAt }: Token, asked: Token): boolean {
  return refreshedAt !== null && refreshedAt > (asked.refreshedAt ?? new Date(0))
}

/** Has a renewal failed between these two states of a token? */
export function hasFailedSince({ lastError }: Token, asked: Token): boolean {
  return lastError !== null && (asked.lastError === null || lastError.at > asked.lastError.at)
}

/**
 * The provider, or its breaker, has asked to be left alone, and force does not count against that. The vault's own
 * back-off never has a caller wait for longer than this.
 */
export function isAskedToWait({ lastError, retryAt }: Token, now: Date): boolean {
  if (lastError?.code !== 'provider_unavailable' || retryAt === null || retryAt <= now) return false
  return secondsBetween(lastError.at, retryAt) > CALLER_RETRY_SECONDS
}

/** Does this failure say for how long the provider is to be left alone, whatever is saved meanwhile? */
export function isWaitAskedFor(failed: Token): boolean {
  const { lastError } = failed
  if (lastError === null) return false
  return lastError.code === 'provider_throttled' || isAskedToWait(failed, lastError.at)
}

/** Why a caller cannot have a fresh access token, and what is to be done about it. */
export function whyNotFresh(token: Token, provider: Provider | null, now: Date): VaultError {
  const missing = missingForRenewal(token, provider)
  if (missing !== null) {
    return new VaultError('not_refreshable', `No fresh access token can be had: the token ${missing}.`)
  }
  if (token.lastError !== null) return renewalError(token, now)
  return (provider && heldBack(token, provider, now)) ?? notAnswered()
}

/** The provider does not answer this replica, which has not asked it again. */
export function notAsked({ retryAfterSeconds }: LeftAlone): VaultError {
  return new VaultError('provider_unavailable', 'The provider does not answer. Try again.', {
    retryAfterSeconds,
  })
}

/** The provider has not answered a renewal in the time that a caller waits. */
export function notAnswered(): VaultError {
  return new VaultError('provider_unavailable', 'The provider has not answered in time. Try again.', {
    retryAfterSeconds: 1,
  })
}

function missingForRenewal(token: Token, provider: Provider | null): string | null {
  if (token.refreshToken === null) return 'has no refresh_token'
  if (token.clientId === null) return 'has no client_id'
  return provider === null ? `names a provider that is not configured, ${token.provider}` : null
}

/** The failure of the last renewal, as the caller who asked for it is told. */
export function renewalError(token: Token, now: Date): VaultError {
  const { lastError, retryAt } = token
  const detail = `The renewal failed: ${lastError?.detail ?? 'no reason is known'}.`
  const code = CODES_FOR_CALLERS[lastError?.code ?? 'provider_unavailable']
  if (code !== 'provider_throttled' && code !== 'provider_unavailable') return new VaultError(code, detail)
  return new VaultError(code, detail, { retryAfterSeconds: secondsUntil(retryAt ?? now, now) })
}

/** Errors have fewer codes: to a caller a mass failure is a provider that is away, an unknown data centre one that errs. */
const CODES_FOR_CALLERS: Readonly<Record<LastError['code'], ErrorCode>> = {
  reauth_required: 'reauth_required',
  client_refused: 'client_refused',
  provider_throttled: 'provider_throttled',
  provider_unavailable: 'provider_unavailable',
  provider_error: 'provider_error',
  data_centre_unknown: 'provider_error',
  mass_failure: 'provider_unavailable',
}

/**
 * Null where nothing stands in the way. A wait without a failure is one that the provider asked for, and that a save in
 * between, or another token, has left behind with the refresh token.
 */
export function heldBack({ renewals, retryAt }: Token, provider: Provider, now: Date): VaultError | null {
  const slot = nextSlot(renewals, provider, now)
  const until = later(retryAt ?? slot, slot)
  if (until <= now) return null
  const detail = 'The provider allows no further renewal of this refresh token for now.'
  return new VaultError('provider_throttled', detail, { retryAfterSeconds: secondsUntil(until, now) })
}

function secondsUntil(until: Date, now: Date): number {
  return wholeSeconds(until.getTime() - now.getTime())
}

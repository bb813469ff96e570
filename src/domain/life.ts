import type { Provider } from './provider.ts'
import { after, later, secondsBetween } from './time.ts'
import type { Token } from './token.ts'

/** What the schedule needs beside a token: the operator's margin and a source of chance in [0, 1). */
export interface SchedulePolicy {
  marginSeconds: number
  random: () => number
}

/** The largest part of a token's own life that a caller can ask to have left. */
const MOST_TTL = 4 / 5
/** A renewal falls due at the latest when this part of the life is left, however large the margin. */
const MOST_MARGIN = 1 / 5
/** Renewals are spread over this part of the life, earlier only. */
const JITTER = 1 / 10
/** Two renewals of a living token are at least this part of its life apart, however large the interval. */
const MOST_FLOOR = 1 / 5

/** An access token is there and has not expired; one whose expiry is unknown lives. */
export function isLive(token: Token, now: Date): boolean {
  return token.accessToken !== null && (token.expiresAt === null || token.expiresAt > now)
}

/** Does the access token have `minTtlSeconds` of life left, or four fifths of its own life where that is less? */
export function hasLife(token: Token, now: Date, minTtlSeconds: number): boolean {
  if (!isLive(token, now)) return false
  if (token.expiresAt === null) return token.refreshDueAt === null || token.refreshDueAt > now
  const wanted = Math.min(minTtlSeconds, (token.lifetimeSeconds ?? Infinity) * MOST_TTL)
  return secondsBetween(now, token.expiresAt) >= wanted
}

/** What must be there to renew a token at all; the provider must be known besides. */
export function hasRefreshGrant(token: Token): boolean {
  return token.refreshToken !== null && token.clientId !== null
}

/** Seconds that an access token which came at `now` has to live. */
export function lifetimeAt(now: Date, expiresAt: Date | null, provider: Provider | null): number | null {
  if (expiresAt !== null) return Math.max(0, secondsBetween(now, expiresAt))
  return provider?.defaultLifetimeSeconds ?? null
}

/**
 * When the refresher is to renew this token: before it expires by the margin, spread by jitter, and not before
 * the provider's limit allows. Null where there is nothing to keep fresh or nothing to renew it with. A provider that is
 * not known here may be known to another replica, or by then: where it alone knows how long the token lives, at once.
 */
export function refreshDueAt(
  token: Token,
  provider: Provider | null,
  now: Date,
  policy: SchedulePolicy,
): Date | null {
  if (!hasRefreshGrant(token) || token.status === 'reauth_required') return null
  if (token.accessToken === null) return null
  const lifetime = token.lifetimeSeconds ?? provider?.defaultLifetimeSeconds
  if (lifetime === undefined) return now
  const expiry = token.expiresAt ?? after(now, lifetime)
  const margin = Math.min(policy.marginSeconds, lifetime * MOST_MARGIN)
  const due = after(expiry, -margin - policy.random() * JITTER * lifetime)
  return provider === null ? later(due, now) : later(due, nextSlot(token.renewals, provider, now))
}

/**
 * When the refresher will renew it: a save may have moved the moment at which it is due before the end of a back-off,
 * which only a take-over does not wait for.
 */
export function willBeRenewedAt({ refreshDueAt: due, retryAt, leaseUntil }: Token): Date | null {
  return due === null || retryAt === null || leaseUntil !== null ? due : later(due, retryAt)
}

/** The first moment at which the provider's limit allows another renewal of the same refresh token. */
export function nextSlot(renewals: Date[], provider: Provider, now: Date): Date {
  if (provider.limit === null) return now
  const oldest = renewals.at(-provider.limit.count)
  if (oldest === undefined) return now
  return later(after(oldest, provider.limit.windowSeconds), now)
}

/** Before this moment a token that lives is not renewed again. */
export function floorUntil(token: Token, provider: Provider): Date | null {
  if (token.refreshedAt === null) return null
  const lifetime = token.lifetimeSeconds ?? provider.defaultLifetimeSeconds
  return after(token.refreshedAt, Math.min(provider.minIntervalSeconds, lifetime * MOST_FLOOR))
}

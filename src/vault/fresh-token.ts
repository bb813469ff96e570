import type { Clock } from '../domain/clock.ts'
import { storageUnavailable, VaultError } from '../domain/errors.ts'
import {
  canRenew,
  hasFailedSince,
  heldBack,
  isAskedToWait,
  isTooSoon,
  mayWait,
  notAnswered,
  notAsked,
  renewalError,
  whyNotFresh,
} from '../domain/freshness.ts'
import { hasLife, hasRefreshGrant, isLive } from '../domain/life.ts'
import type { Provider, Providers } from '../domain/provider.ts'
import type { Reading } from '../domain/token-store.ts'
import { inTime, MOST_WAIT_MS } from './in-time.ts'
import type { Renewal } from './renew-token.ts'
import type { Renewals } from './renewals.ts'

export interface FreshParts {
  renewals: Renewals
  providers: Providers
  clock: Clock
}

/**
 * The token with `minTtlSeconds` of life, or with as much as can be had: a read never waits for the provider while
 * there is life enough, and a failing renewal never takes a living token away.
 */
export async function freshToken(
  parts: FreshParts,
  reading: Reading,
  minTtlSeconds: number,
): Promise<Reading> {
  const { token, now } = reading
  if (hasLife(token, now, minTtlSeconds)) return reading
  const provider = parts.providers.find(token.provider)
  if (!canRenew(token, provider, now)) return living(reading, provider)
  const leftAlone = parts.providers.leftAlone(provider.name)
  if (leftAlone?.probes === 0 && mayWait(token, provider, now)) {
    // Unclaimed: another replica may renew it at once.
    if (isLive(token, now)) return reading
    throw notAsked(leftAlone)
  }
  const renewal = await inTime(parts.clock, parts.renewals.renew(token, provider, false))
  if (renewal !== 'late') return living(existing(renewal), provider)
  const late = { token, now: new Date(now.getTime() + MOST_WAIT_MS) }
  if (isLive(token, late.now)) return late
  // An error that the token has is of an earlier renewal: this one is under way.
  throw notAnswered()
}

/** Renews now and reports what came of it; one that comes too soon gets the current token while it lives. */
export async function refreshToken(parts: FreshParts, { token, now }: Reading): Promise<Reading> {
  const provider = parts.providers.find(token.provider)
  if (provider === null || !hasRefreshGrant(token)) throw whyNotFresh(token, provider, now)
  if (token.status === 'reauth_required' || isAskedToWait(token, now)) throw renewalError(token, now)
  const outcome = await inTime(parts.clock, parts.renewals.renew(token, provider, true))
  if (outcome === 'late') throw notAnswered()
  const renewal = existing(outcome)
  if (renewal.renewed) return renewal
  const failed = hasFailedSince(renewal.token, token)
  if (!failed && isTooSoon(renewal.token, provider, renewal.now)) return renewal
  if (renewal.token.lastError !== null) throw renewalError(renewal.token, renewal.now)
  const held = heldBack(renewal.token, provider, renewal.now)
  if (held !== null) throw held
  // It has run out, and it is not time yet to take it over.
  if (renewal.token.leaseUntil !== null)
    throw storageUnavailable('An earlier renewal of the token was cut off.')
  return living(renewal, provider)
}

function existing(renewal: Renewal | null): Renewal {
  if (renewal === null) throw new VaultError('not_found', 'The token was deleted while it was renewed.')
  return renewal
}

function living(reading: Reading, provider: Provider | null): Reading {
  if (isLive(reading.token, reading.now)) return reading
  throw whyNotFresh(reading.token, provider, reading.now)
}

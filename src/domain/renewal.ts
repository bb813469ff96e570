import type { SchedulePolicy } from './life.ts'
import { nextSlot, refreshDueAt } from './life.ts'
import type { Provider, RefreshOutcome, RenewedOutcome } from './provider.ts'
import type { Event } from './event.ts'
import type { LastError, Token } from './token.ts'
import { REFRESHER } from './token.ts'

/** What a provider allows, as far as a claim must know it. */
export interface RenewalTerms {
  provider: string
  /** How long a claim holds: twice the time limit of a request and 5 s, so that a paused owner is outlived by it. */
  leaseSeconds: number
  minIntervalSeconds: number
  limit: { count: number; windowSeconds: number } | null
}

/** The right to renew one token once. It is committed before the refresh token is spent. */
export interface Claim {
  token: Token
  fence: number
  /** The storage's clock at the claim: an expiry counts from here, not from the receipt of the answer. */
  claimedAt: Date
  leaseSeconds: number
}

/** What a claim leaves behind. `token` is the token after it. */
export interface Settlement {
  token: Token
  event: Event
}

const LEASE_SLACK_SECONDS = 5

/** The gate closes this long before a request that is sent could outlive its lease. */
export const GATE_SLACK_SECONDS = 5

export function renewalTerms(provider: Provider): RenewalTerms {
  return {
    provider: provider.name,
    leaseSeconds: provider.timeoutSeconds * 2 + LEASE_SLACK_SECONDS,
    minIntervalSeconds: provider.minIntervalSeconds,
    limit: provider.limit,
  }
}

/** What the outcome of a claim makes of its token: the only place where a renewal changes a token's state. */
export function settlementOf(
  claim: Claim,
  outcome: RefreshOutcome,
  provider: Provider,
  now: Date,
  policy: SchedulePolicy,
): Settlement {
  if (outcome.kind === 'renewed') return succeeded(claim, outcome, provider, policy)
  return failed(claim, outcome, provider, now, policy)
}

function succeeded(
  claim: Claim,
  outcome: RenewedOutcome,
  provider: Provider,
  policy: SchedulePolicy,
): Settlement {
  const { token: before, claimedAt } = claim
  const { expiresInSeconds } = outcome
  const token: Token = {
    ...before,
    accessToken: outcome.accessToken,
    refreshToken: outcome.refreshToken ?? before.refreshToken,
    tokenType: outcome.tokenType ?? before.tokenType,
    scope: outcome.scope ?? before.scope,
    apiDomain: outcome.apiDomain ?? before.apiDomain,
    expiresAt: expiresInSeconds === null ? null : new Date(claimedAt.getTime() + expiresInSeconds * 1000),
    lifetimeSeconds: expiresInSeconds ?? provider.defaultLifetimeSeconds,
    status: 'active',
    lastError: null,
    retryAt: null,
    refreshedAt: claimedAt,
    renewals: isReplaced(before, outcome) ? [] : before.renewals,
  }
  return {
    token: { ...token, refreshDueAt: refreshDueAt(token, provider, claimedAt, policy) },
    event: { type: 'renewal.succeeded', actor: REFRESHER },
  }
}

/** The provider's limit counts the renewals of one refresh token: a new one starts anew. */
function isReplaced(before: Token, { refreshToken }: RenewedOutcome): boolean {
  return refreshToken !== null && !refreshToken.equals(before.refreshToken)
}

type Failure = Exclude<RefreshOutcome, RenewedOutcome>

function failed(
  claim: Claim,
  outcome: Failure,
  provider: Provider,
  now: Date,
  policy: SchedulePolicy,
): Settlement {
  const attempts = (claim.token.lastError?.attempts ?? 0) + 1
  const lastError: LastError = { ...describe(outcome, claim.token), at: now, attempts }
  const renewals = wasSent(outcome) ? claim.token.renewals : claim.token.renewals.slice(0, -1)
  const before: Token = { ...claim.token, lastError, renewals }
  const event: Event = {
    type: 'renewal.failed',
    actor: REFRESHER,
    facts: { code: lastError.code, error: outcome.error, attempts },
  }
  if (outcome.kind === 'dead') {
    return { token: { ...before, status: 'reauth_required', refreshDueAt: null, retryAt: null }, event }
  }
  const wait = retryDelays(outcome, attempts, provider, policy.random)
  const slot = nextSlot(renewals, provider, now)
  const inSeconds = (seconds: number) => new Date(Math.max(now.getTime() + seconds * 1000, slot.getTime()))
  const token: Token = {
    ...before,
    status: 'failing',
    refreshDueAt: inSeconds(wait.refresherSeconds),
    retryAt: inSeconds(wait.callerSeconds),
  }
  return { token, event }
}

/** A request that never left is a free retry: the provider has not counted it. */
function wasSent(outcome: Failure): boolean {
  return outcome.kind !== 'unavailable' || outcome.sent
}

function describe(outcome: Failure, token: Token): Pick<LastError, 'code' | 'detail'> {
  const said = `the provider answered ${outcome.error}`
  switch (outcome.kind) {
    case 'dead':
      return {
        code: 'reauth_required',
        detail: `${said}: let the user sign in again and save the new refresh token`,
      }
    case 'data_centre_unknown':
      return {
        code: 'data_centre_unknown',
        detail: `${said}, and the token has no api_domain: save the api_domain of the user's data centre`,
      }
    case 'misconfigured':
      return {
        code: 'client_refused',
        detail: `${said}: check client_id, client_secret and redirect_url of client ${token.clientId ?? ''}`,
      }
    case 'throttled':
      return { code: 'provider_throttled', detail: `${said}: the vault waits and tries again` }
    case 'nonsense':
      return { code: 'provider_error', detail: `${said}: the vault tries again` }
    case 'unavailable':
      return { code: 'provider_unavailable', detail: `no answer (${outcome.error}): the vault tries again` }
  }
}

const BACKOFF_SECONDS = { base: 2, most: 300 }
const SLOW_RETRY_SECONDS = 900
const THROTTLE_SECONDS = 60
/** A caller who waits for an expired token may try more often than the refresher, which has all tokens to think of. */
const CALLER_RETRY_SECONDS = 2

/** Seconds until the refresher, and until a caller who asks, may try again. */
function retryDelays(outcome: Failure, attempts: number, provider: Provider, random: () => number) {
  if (outcome.kind === 'throttled') {
    const seconds = outcome.retryAfterSeconds ?? provider.limit?.windowSeconds ?? THROTTLE_SECONDS
    return { refresherSeconds: seconds * (1 + random() / 10), callerSeconds: seconds }
  }
  if (outcome.kind === 'misconfigured' || outcome.kind === 'data_centre_unknown') {
    const seconds = SLOW_RETRY_SECONDS * (1 + random())
    return { refresherSeconds: seconds, callerSeconds: seconds }
  }
  const ceiling = Math.min(BACKOFF_SECONDS.most, BACKOFF_SECONDS.base * 2 ** Math.min(attempts, 30))
  const seconds = random() * ceiling
  return { refresherSeconds: seconds, callerSeconds: Math.min(seconds, CALLER_RETRY_SECONDS) }
}

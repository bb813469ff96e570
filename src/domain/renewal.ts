import type { ClientPause } from './client.ts'
import type { Event } from './event.ts'
import type { SchedulePolicy } from './life.ts'
import { nextSlot, refreshDueAt } from './life.ts'
import type { Provider, RenewedOutcome } from './provider.ts'
import { UNKNOWN_API_DOMAIN } from './provider.ts'
import { describeFailure } from './describe-failure.ts'
import type { Failure, RenewalOutcome } from './renewal-outcome.ts'
import { failureCode, isAnswerLost } from './renewal-outcome.ts'
import type { RetryDelays } from './retry.ts'
import { isOurDelay, retryDelays } from './retry.ts'
import { after, later, secondsBetween } from './time.ts'
import type { LastError, Token } from './token.ts'
import { REFRESHER, SOUND } from './token.ts'

/** What a provider allows, as far as a claim must know it. */
export interface RenewalTerms {
  provider: string
  /** How long a claim holds unless its owner, who lives, extends it. */
  leaseSeconds: number
  /** The same of a claim that takes another one over. */
  replayLeaseSeconds: number
  /** For so long after a claim the provider takes its refresh token again, whatever came of the claim. */
  replaySeconds: number
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
  /** A caller asked for it by force: neither a pause nor a back-off stands against it. */
  forced: boolean
  /** The last pause of the token's client, over or not; null where there was none, or where it has been lifted. */
  pause: ClientPause | null
}

/** What a claim leaves behind. */
export interface Settlement {
  /** The token after it. */
  token: Token
  event: Event
  /** The pause of the token's client from here on; null lifts it, and where it is absent it stays as it is. */
  pause?: ClientPause | null
}

const LEASE_SLACK_SECONDS = 5
/** A lease is at least so long: a busy database must not let a living owner's lease run out. */
const SHORTEST_LEASE_SECONDS = 2
/**
 * So many leases fit into a provider's grace: whoever takes over may be cut off too, and at four replicas of which one
 * was killed every 1.4 s, two leases lost a token in forty kills.
 */
const LEASES_IN_GRACE = 5
/** A grace into which fewer leases fit is of no use. */
const FEWEST_LEASES_IN_GRACE = 3

export function renewalTerms(provider: Provider): RenewalTerms {
  return {
    provider: provider.name,
    leaseSeconds: leaseSecondsOf(provider),
    replayLeaseSeconds: replayLeaseSecondsOf(provider),
    replaySeconds: Math.max(0, graceOf(provider) - leaseSecondsOf(provider)),
    minIntervalSeconds: provider.minIntervalSeconds,
    limit: provider.limit,
  }
}

/** Twice the time limit of a request and 5 s, so that a paused owner, and a request that is late, are outlived. */
export function fullLeaseSeconds({ timeoutSeconds }: Provider): number {
  return timeoutSeconds * 2 + LEASE_SLACK_SECONDS
}

/**
 * Where the provider lets a replaced refresh token be used again, but not for as long as a full lease, a claim whose
 * owner has died must be found while it does: the lease is a part of that grace, and a living owner extends it.
 */
function leaseSecondsOf(provider: Provider): number {
  const full = fullLeaseSeconds(provider)
  const grace = graceOf(provider)
  if (grace < FEWEST_LEASES_IN_GRACE * SHORTEST_LEASE_SECONDS) return full
  return Math.min(full, Math.max(SHORTEST_LEASE_SECONDS, grace / LEASES_IN_GRACE))
}

/**
 * A replica that takes over many claims at once may be the next to die: by halves more of them fit into the grace. Of a
 * thousand kills, two tokens were lost by five in a row.
 */
function replayLeaseSecondsOf(provider: Provider): number {
  const lease = leaseSecondsOf(provider)
  return lease < fullLeaseSeconds(provider) ? lease / 2 : lease
}

const graceOf = ({ rotates, reuseGraceSeconds }: Provider) => (rotates === 'always' ? reuseGraceSeconds : 0)

/**
 * The gate: how long after the claim the request may still be sent. What is sent under a full lease has arrived when
 * the lease runs out; under a shorter one it is sent in its first half.
 */
export function sendWithinSeconds(provider: Provider): number {
  const lease = leaseSecondsOf(provider)
  if (lease < fullLeaseSeconds(provider)) return lease / 2
  return lease - provider.timeoutSeconds - LEASE_SLACK_SECONDS
}

/** Does a lost outcome explain a death? Not while the provider takes the replaced refresh token all the same. */
export function isDeathExplained({ token: { lostAt }, claimedAt }: Claim, provider: Provider): boolean {
  if (lostAt === null || provider.rotates !== 'always') return false
  return secondsBetween(lostAt, claimedAt) >= provider.reuseGraceSeconds
}

/** Does it repeat a request whose answer was lost, while the provider's grace lasts? Behind that it is of no use. */
export function isReplayInGrace({ token, claimedAt }: Claim, provider: Provider): boolean {
  return isLossForgiven(token, provider, claimedAt)
}

/** Was the answer of its last renewal lost, and does the provider still take what was sent? */
export function isLossForgiven(token: Token, provider: Provider, now: Date): boolean {
  return lossWithin(token, graceOf(provider), now) !== null
}

/** What the outcome of a claim makes of its token: the only place where a renewal changes a token's state. */
export function settlementOf(
  claim: Claim,
  outcome: RenewalOutcome,
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
  const inDoubt = isReplaced(before, outcome) && mayBeOvertaken(claim, provider)
  const token: Token = {
    ...before,
    accessToken: outcome.accessToken,
    refreshToken: outcome.refreshToken ?? before.refreshToken,
    tokenType: outcome.tokenType ?? before.tokenType,
    scope: outcome.scope ?? before.scope,
    apiDomain: outcome.apiDomain ?? before.apiDomain,
    expiresAt: expiresInSeconds === null ? null : after(claimedAt, expiresInSeconds),
    lifetimeSeconds: expiresInSeconds ?? provider.defaultLifetimeSeconds,
    ...SOUND,
    ...(inDoubt && { lostAt: before.lostAt }),
    refreshedAt: claimedAt,
    renewals: isReplaced(before, outcome) ? [] : before.renewals,
  }
  const dueAt = refreshDueAt(token, provider, claimedAt, policy)
  const inGrace = after(claimedAt, provider.reuseGraceSeconds * PART_OF_GRACE)
  return {
    token: { ...token, refreshDueAt: inDoubt && dueAt !== null && inGrace < dueAt ? inGrace : dueAt },
    event: { type: 'renewal.succeeded', actor: REFRESHER, facts: factsOf(claim) },
    ...(claim.pause !== null && { pause: null }),
  }
}

/** Time enough for the request that was cut off to come, and for what its answer replaces to be used again. */
const PART_OF_GRACE = 0.7

/**
 * A request that was cut off may reach the provider behind its replay, and replace what that has brought: the token is
 * renewed once more while the grace lasts. It comes within a full lease, or never; of several that were cut off in one
 * grace, the loss is that of the first.
 */
function mayBeOvertaken({ token: { lostAt }, claimedAt }: Claim, provider: Provider): boolean {
  if (lostAt === null) return false
  return secondsBetween(lostAt, claimedAt) < Math.min(graceOf(provider), fullLeaseSeconds(provider))
}

/** The provider's limit counts the renewals of one refresh token: a new one starts anew. */
function isReplaced(before: Token, { refreshToken }: RenewedOutcome): boolean {
  return refreshToken !== null && !refreshToken.equals(before.refreshToken)
}

/** By its fence the end of a claim is told with its beginning, and each request to the provider belongs to one claim. */
function factsOf({ fence, claimedAt }: Claim) {
  return { fence, claimed_at: claimedAt.toISOString() }
}

function failed(
  claim: Claim,
  outcome: Failure,
  provider: Provider,
  now: Date,
  policy: SchedulePolicy,
): Settlement {
  const attempts = (claim.token.lastError?.attempts ?? 0) + (isOurDelay(outcome) ? 0 : 1)
  const isLost = provider.rotates !== 'never' && isAnswerLost(outcome)
  const lostAt = isLost
    ? (lossWithin(claim.token, graceOf(provider), now) ?? claim.claimedAt)
    : claim.token.lostAt
  const detail = describeFailure(outcome, claim.token, provider)
  const lastError: LastError = { code: failureCode(outcome), detail, at: now, attempts }
  const sent = wasSent(outcome)
  const renewals = sent ? claim.token.renewals : claim.token.renewals.slice(0, -1)
  const before: Token = { ...claim.token, lastError, renewals, lostAt }
  const facts = { ...factsOf(claim), code: lastError.code, error: outcome.error, sent, attempts }
  if (outcome.kind === 'dead') {
    const token: Token = { ...before, status: 'reauth_required', refreshDueAt: null, retryAt: null }
    return { token, event: failure(facts) }
  }
  const lostSeconds = lostAt === null ? null : secondsBetween(lostAt, now)
  const delays = retryDelays(outcome, { provider, attempts, lostSeconds }, policy.random)
  const slot = nextSlot(renewals, provider, now)
  const inSeconds = (seconds: number) => later(after(now, seconds), slot)
  const retryAt = inSeconds(delays.callerSeconds)
  const token: Token = {
    ...before,
    status: 'failing',
    refreshDueAt: inSeconds(delays.refresherSeconds),
    retryAt,
  }
  return {
    token,
    event: failure({ ...facts, retry_at: retryAt.toISOString() }),
    ...pauseAfter(outcome, delays, now),
  }
}

const failure = (facts: Required<Event>['facts']): Event => ({
  type: 'renewal.failed',
  actor: REFRESHER,
  facts,
})

/**
 * Since when nobody knows what came of a renewal of the refresh token that it has; null where all is known. What was lost
 * before the last success was a renewal of the one before, of which the provider's grace is its own.
 */
export function lossOf({ lostAt, refreshedAt }: Token): Date | null {
  return lostAt !== null && (refreshedAt === null || lostAt > refreshedAt) ? lostAt : null
}

/** The same, while its grace lasts: another loss behind that has a grace of its own, and counts in its place. */
export function lossWithin(token: Token, graceSeconds: number, now: Date): Date | null {
  const loss = lossOf(token)
  return loss !== null && secondsBetween(loss, now) < graceSeconds ? loss : null
}

/** A request that never left is a free retry: the provider has not counted it. */
function wasSent(outcome: Failure): boolean {
  if (outcome.kind === 'paused' || outcome.error === UNKNOWN_API_DOMAIN) return false
  return outcome.kind !== 'unavailable' || outcome.sent
}

function pauseAfter(
  outcome: Failure,
  { refresherSeconds }: RetryDelays,
  now: Date,
): Pick<Settlement, 'pause'> {
  if (outcome.kind !== 'client_refused' && outcome.kind !== 'mass_failure') return {}
  return { pause: { reason: outcome.kind, until: after(now, refresherSeconds) } }
}

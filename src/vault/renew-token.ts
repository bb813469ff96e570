import { isMassFailure } from '../domain/client.ts'
import type { Clock } from '../domain/clock.ts'
import { isRenewedSince } from '../domain/freshness.ts'
import type { SchedulePolicy } from '../domain/life.ts'
import type { RenewalObserver } from '../domain/observer.ts'
import type { Provider, Providers, RefreshRequest } from '../domain/provider.ts'
import type { Claim, Settlement } from '../domain/renewal.ts'
import { isDeathExplained, isReplayInGrace, sendWithinSeconds, settlementOf } from '../domain/renewal.ts'
import type { RenewalOutcome } from '../domain/renewal-outcome.ts'
import { slowRetrySeconds } from '../domain/retry.ts'
import { Secret } from '../domain/secret.ts'
import { secondsBetween } from '../domain/time.ts'
import type { TokenStore } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import { untilStored } from './until-stored.ts'

/** A token after somebody tried to renew it. */
export interface Renewal {
  token: Token
  now: Date
  /** False where the attempt failed, or was not allowed. */
  renewed: boolean
}

export interface RenewalParts {
  store: TokenStore
  providers: Providers
  policy: SchedulePolicy
  clock: Clock
  observer: RenewalObserver
}

/**
 * Sends a claimed token's refresh token and stores the outcome: then, and only then, there is something to tell.
 * No connection is held meanwhile. `startedMs` is the monotonic moment before the claim was asked for. Null where
 * the token is gone.
 */
export async function renewToken(
  parts: RenewalParts,
  claim: Claim,
  provider: Provider,
  startedMs: number,
): Promise<Renewal | null> {
  const { store, policy, clock, observer } = parts
  const receivedMs = clock.monotonicMs()
  const sent = await send(parts, claim, provider, startedMs)
  const elapsedMs = clock.monotonicMs() - startedMs
  // The claim itself may have taken seconds: it was made no later than it was heard of.
  const now = () => new Date(claim.claimedAt.getTime() + clock.monotonicMs() - receivedMs)
  const stored = <Result>(work: () => Promise<Result>) =>
    untilStored(clock, policy.random, work, (error) => {
      observer.renewalNotStored(claim.token, error)
    })
  const outcome = await stored(() => believed(parts, claim, provider, sent))
  const settlement = settlementOf(claim, outcome, provider, now(), policy)
  const token = await stored(() => store.settle(claim, settlement))
  observer.renewalSettled({
    ref: claim.token,
    provider: provider.name,
    outcome: outcome.kind,
    stored: token !== null,
    ms: elapsedMs,
  })
  tellOfPause(observer, claim, settlement)
  if (token !== null) return { token, now: now(), renewed: outcome.kind === 'renewed' }
  const left = await store.get(claim.token)
  return left && { ...left, renewed: isRenewedSince(left.token, claim.token) }
}

/** What the provider answers; nothing is sent on behalf of a client that is paused, but for what would be lost by then. */
async function send(
  parts: RenewalParts,
  claim: Claim,
  provider: Provider,
  startedMs: number,
): Promise<RenewalOutcome> {
  const { pause, forced, claimedAt } = claim
  if (pause !== null && pause.until > claimedAt && !forced && !isReplayInGrace(claim, provider)) {
    return { kind: 'paused', error: pause.reason, seconds: secondsBetween(claimedAt, pause.until) }
  }
  const answered = new AbortController()
  void holdLease(parts, claim, answered.signal)
  try {
    return await parts.providers.refresh(requestOf(claim, provider, startedMs))
  } finally {
    answered.abort('answered')
  }
}

/** A process may be paused at any moment: then most of its lease should be left. */
const MOST_UNEXTENDED_MS = 2_000

/** While the answer is awaited, whoever looks at the lease must see that its owner lives. */
async function holdLease({ store, clock }: RenewalParts, claim: Claim, answered: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(Math.min(MOST_UNEXTENDED_MS, (claim.leaseSeconds * 1000) / 3), answered)
    if (answered.aborted) return
    await store.extend(claim).catch(() => undefined)
  }
}

/**
 * A death is believed when a human asked for the renewal, and when an earlier answer that was lost explains it. Where
 * tokens of one client die in masses it is not: they wait, and live if the provider comes to its senses.
 */
async function believed(
  { store, policy }: RenewalParts,
  claim: Claim,
  provider: Provider,
  outcome: RenewalOutcome,
): Promise<RenewalOutcome> {
  if (outcome.kind !== 'dead' || claim.forced || isDeathExplained(claim, provider)) return outcome
  const deaths = await store.countDeath(claim)
  if (claim.pause?.reason !== 'mass_failure' && !isMassFailure(deaths)) return outcome
  return { kind: 'mass_failure', error: outcome.error, seconds: slowRetrySeconds(policy.random) }
}

function tellOfPause(observer: RenewalObserver, { token }: Claim, { pause }: Settlement): void {
  if (!pause) return
  observer.clientPaused({ ref: token, provider: token.provider, clientId: token.clientId, pause })
}

function requestOf(claim: Claim, provider: Provider, startedMs: number): RefreshRequest {
  const { token } = claim
  return {
    provider: provider.name,
    clientId: token.clientId ?? '',
    clientSecret: token.clientSecret,
    refreshToken: token.refreshToken ?? new Secret(''),
    cannotWait: isReplayInGrace(claim, provider),
    apiDomain: token.apiDomain,
    sendBeforeMs: startedMs + sendWithinSeconds(provider) * 1000,
  }
}

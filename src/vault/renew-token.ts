import type { Clock } from '../domain/clock.ts'
import { VaultError } from '../domain/errors.ts'
import type { SchedulePolicy } from '../domain/life.ts'
import type { Observer } from '../domain/observer.ts'
import type { Provider, Providers, RefreshRequest } from '../domain/provider.ts'
import type { Claim, Settlement } from '../domain/renewal.ts'
import { GATE_SLACK_SECONDS, settlementOf } from '../domain/renewal.ts'
import { Secret } from '../domain/secret.ts'
import type { TokenStore } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'

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
  observer: Observer
}

const STORE_RETRY_MS = 500

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
  const { store, providers, policy, clock, observer } = parts
  const outcome = await providers.refresh(requestOf(claim, provider, startedMs))
  const elapsedMs = clock.monotonicMs() - startedMs
  const now = () => new Date(claim.claimedAt.getTime() + clock.monotonicMs() - startedMs)
  const token = await keep(parts, claim, settlementOf(claim, outcome, provider, now(), policy))
  observer.renewalSettled({
    ref: claim.token,
    provider: provider.name,
    outcome: outcome.kind,
    stored: token !== null,
    ms: elapsedMs,
  })
  if (token !== null) return { token, now: now(), renewed: outcome.kind === 'renewed' }
  const left = await store.get(claim.token)
  return left && { ...left, renewed: isNewer(left.token, claim.token) }
}

/** A rotated refresh token exists nowhere else: it is stored, however long the storage is away. */
async function keep(
  { store, policy, clock, observer }: RenewalParts,
  claim: Claim,
  settlement: Settlement,
): Promise<Token | null> {
  for (;;) {
    try {
      return await store.settle(claim, settlement)
    } catch (error) {
      observer.renewalNotStored(claim.token, error)
      if (!(error instanceof VaultError && error.code === 'storage_unavailable')) throw error
      await clock.sleep(STORE_RETRY_MS * (1 + policy.random()))
    }
  }
}

/** Has a renewal come between these two states of a token? */
export function isNewer(token: Token, than: Token): boolean {
  return token.refreshedAt !== null && token.refreshedAt > (than.refreshedAt ?? new Date(0))
}

function requestOf({ token, leaseSeconds }: Claim, provider: Provider, startedMs: number): RefreshRequest {
  const sendWithinSeconds = leaseSeconds - provider.timeoutSeconds - GATE_SLACK_SECONDS
  return {
    provider: provider.name,
    clientId: token.clientId ?? '',
    clientSecret: token.clientSecret,
    refreshToken: token.refreshToken ?? new Secret(''),
    apiDomain: token.apiDomain,
    sendBeforeMs: startedMs + sendWithinSeconds * 1000,
  }
}

import type { Provider } from '../domain/provider.ts'
import { renewalTerms } from '../domain/renewal.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Renewal, RenewalParts } from './renew-token.ts'
import { isNewer, renewToken } from './renew-token.ts'

/** The renewals of this replica, for callers and for the refresher: one of each token at a time. */
export interface Renewals {
  /**
   * Renews a token once, however many ask, on whichever replica: the others wait for its outcome. Null where the
   * token is gone. The work belongs to nobody: it goes on when the caller has left.
   */
  renew(ref: TokenRef, provider: Provider, forced: boolean): Promise<Renewal | null>
  /** Claims and renews up to `limit` due tokens; resolves with their number as soon as they are claimed. */
  renewDue(limit: number): Promise<number>
  /** Renewals under way. */
  inFlight(): number
  /** Resolves when the renewals under way are settled. */
  settled(): Promise<void>
}

const PEER_POLL_MS = 50

export function createRenewals(parts: RenewalParts): Renewals {
  const { store, providers, clock, observer } = parts
  const running = new Map<string, Promise<Renewal | null>>()
  const keyOf = ({ namespaceId, id }: TokenRef) => `${namespaceId}/${id}`

  const track = (ref: TokenRef, work: Promise<Renewal | null>): Promise<Renewal | null> => {
    const key = keyOf(ref)
    const tracked = work.finally(() => {
      if (running.get(key) === tracked) running.delete(key)
    })
    running.set(key, tracked)
    return tracked
  }

  return {
    renew: (ref, provider, forced) =>
      running.get(keyOf(ref)) ?? track(ref, claimAndRenew(parts, ref, provider, forced)),
    async renewDue(limit) {
      const startedMs = clock.monotonicMs()
      const claims = await store.claimDue(limit, providers.all().map(renewalTerms))
      for (const claim of claims) {
        const provider = providers.find(claim.token.provider)
        if (provider === null) continue
        track(claim.token, renewToken(parts, claim, provider, startedMs)).catch((error: unknown) => {
          observer.refresherFailed(error)
        })
      }
      return claims.length
    },
    inFlight: () => running.size,
    async settled() {
      await Promise.allSettled(running.values())
    },
  }
}

/** Check, claim, check again: whoever does not get the claim waits for the one who has it. */
async function claimAndRenew(
  parts: RenewalParts,
  ref: TokenRef,
  provider: Provider,
  forced: boolean,
): Promise<Renewal | null> {
  for (;;) {
    const startedMs = parts.clock.monotonicMs()
    const claim = await parts.store.claim(ref, renewalTerms(provider), forced)
    if (claim !== null) return renewToken(parts, claim, provider, startedMs)
    const outcome = await outcomeOfPeer(parts, ref)
    if (outcome !== 'abandoned') return outcome
  }
}

/** Waits while another claim holds the token; `abandoned` where its lease ran out meanwhile. */
async function outcomeOfPeer(
  { store, policy, clock }: RenewalParts,
  ref: TokenRef,
): Promise<Renewal | null | 'abandoned'> {
  const first = await store.get(ref)
  for (let current = first; ; current = await store.get(ref)) {
    if (current === null || first === null) return null
    const { leaseUntil } = current.token
    const held = leaseUntil !== null && leaseUntil > current.now
    if (!held && current !== first && leaseUntil !== null) return 'abandoned'
    if (!held) return { ...current, renewed: isNewer(current.token, first.token) }
    await clock.sleep(PEER_POLL_MS * (1 + policy.random()))
  }
}

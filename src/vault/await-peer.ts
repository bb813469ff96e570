import { hasFailedSince, isRenewedSince } from '../domain/freshness.ts'
import type { Token } from '../domain/token.ts'
import type { Renewal, RenewalParts } from './renew-token.ts'

/** A look-up of all tokens that are waited for costs little more than one. */
const PEER_POLL_MS = 20

/**
 * What came of the claim that stands in the way of one's own, or what the terms forbid. Null where the token is gone;
 * `again` where the token has moved on without an outcome, as after a save or the end of a dead owner's lease.
 */
export async function awaitPeer(
  { store, policy, clock }: RenewalParts,
  asked: Token,
): Promise<Renewal | null | { again: Token }> {
  for (let waited = false; ; waited = true) {
    const current = await store.get(asked)
    if (current === null) return null
    const { token, now } = current
    if (token.leaseUntil === null || token.leaseUntil <= now) {
      if (isRenewedSince(token, asked)) return { ...current, renewed: true }
      const isForbidden = token.version === asked.version && !waited
      if (isForbidden || hasFailedSince(token, asked)) return { ...current, renewed: false }
      return { again: token }
    }
    await clock.sleep(PEER_POLL_MS * (1 + policy.random()))
  }
}

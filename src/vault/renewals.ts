import { stopping } from '../domain/errors.ts'
import type { Provider } from '../domain/provider.ts'
import { createSingleFlight } from '../domain/single-flight.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import { awaitPeer } from './await-peer.ts'
import type { Claimed } from './claiming.ts'
import { createClaiming } from './claiming.ts'
import type { HeadStart } from './head-start.ts'
import { createLosses } from './losses.ts'
import type { Places } from './places.ts'
import type { Renewal, RenewalParts } from './renew-token.ts'
import { renewToken } from './renew-token.ts'
import { createTracker } from './tracker.ts'

/** The renewals of this replica, for callers and for the refresher: one of each token at a time. */
export interface Renewals {
  /**
   * Renews a token once, however many ask, on whichever replica: the others wait for its outcome. `token` is what the
   * caller has read: what was renewed since is not renewed again. Null where the token is gone. The work belongs to
   * nobody: it goes on when the caller has left.
   */
  renew(token: Token, provider: Provider, forced: boolean): Promise<Renewal | null>
  /** Claims and renews due tokens, as many as there are places; resolves with whether there may be more by now. */
  renewDue(): Promise<boolean>
  /** Claims nothing any more; resolves when what was claimed is settled. */
  close(): Promise<void>
}

const keyOf = ({ namespaceId, id }: TokenRef) => `${namespaceId}/${id}`

interface RenewalsParts extends RenewalParts {
  places: Places
  headStart: HeadStart
}

export function createRenewals(parts: RenewalsParts): Renewals {
  const { observer, places } = parts
  /** Tokens that this replica has claimed, until it has stored what came of it. */
  const held = new Map<string, { ref: TokenRef; renewal: Promise<Renewal | null> }>()
  /** Callers of one token share one attempt. */
  const share = createSingleFlight<Renewal | null>()
  /** Claims being made, and those made: what a shutdown waits for. */
  const { track, allDone } = createTracker()
  let closed = false
  const claiming = createClaiming(parts, places)
  const losses = createLosses(parts)

  const hold = ({ claim, provider, startedMs }: Claimed): Promise<Renewal | null> => {
    const key = keyOf(claim.token)
    const work = losses.watch(renewToken(parts, claim, provider, startedMs), provider)
    const renewal = track(work).finally(() => {
      held.delete(key)
      places.give(provider.name)
    })
    held.set(key, { ref: claim.token, renewal })
    return renewal
  }
  const holdOne = async (token: Token, provider: Provider, forced: boolean) => {
    // While a place was waited for, somebody may have claimed it, or everything may have stopped.
    const isWanted = () => !closed && !held.has(keyOf(token))
    const claimed = await claiming.one(token, provider, forced, isWanted)
    return claimed === null ? 'refused' : hold(claimed)
  }
  const inBackground = (ref: TokenRef, work: Promise<unknown>) => {
    work.catch((error: unknown) => {
      observer.renewalEndedWithoutOutcome(ref, error)
    })
  }
  const holdDue = async (): Promise<boolean> => {
    for (const { token, provider } of losses.due())
      inBackground(token, track(holdOne(token, provider, false)))
    const busy = Array.from(held.values(), ({ ref }) => ref)
    const { claimed, more } = await claiming.due(busy)
    for (const one of claimed) inBackground(one.claim.token, hold(one))
    return more
  }
  /** Check, claim, check again: whoever does not get the claim waits for the one who has it. */
  const ask = async (asked: Token, provider: Provider, forced: boolean): Promise<Renewal | null> => {
    for (let token = asked; ;) {
      const own = held.get(keyOf(token))
      if (own !== undefined) return own.renewal
      if (closed) throw stopping()
      const renewal = await track(holdOne(token, provider, forced))
      if (renewal !== 'refused') return renewal
      const outcome = await awaitPeer(parts, token)
      if (outcome === null || !('again' in outcome)) return outcome
      token = outcome.again
    }
  }

  return {
    renew: (token, provider, forced) =>
      share(`${keyOf(token)} ${forced}`, () => ask(token, provider, forced)),
    renewDue: () => (closed ? Promise.resolve(false) : track(holdDue())),
    async close() {
      closed = true
      await allDone()
    },
  }
}

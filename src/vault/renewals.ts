import { VaultError } from '../domain/errors.ts'
import type { Provider } from '../domain/provider.ts'
import type { Claim } from '../domain/renewal.ts'
import { renewalTerms } from '../domain/renewal.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import { awaitPeer } from './await-peer.ts'
import type { Renewal, RenewalParts } from './renew-token.ts'
import { renewToken } from './renew-token.ts'

/** The renewals of this replica, for callers and for the refresher: one of each token at a time. */
export interface Renewals {
  /**
   * Renews a token once, however many ask, on whichever replica: the others wait for its outcome. `token` is what the
   * caller has read: what was renewed since is not renewed again. Null where the token is gone. The work belongs to
   * nobody: it goes on when the caller has left.
   */
  renew(token: Token, provider: Provider, forced: boolean): Promise<Renewal | null>
  /** Claims and renews up to `limit` due tokens; resolves with their number as soon as they are claimed. */
  renewDue(limit: number): Promise<number>
  /** Renewals under way. */
  inFlight(): number
  /** Claims nothing any more; resolves when what was claimed is settled. */
  close(): Promise<void>
}

const keyOf = ({ namespaceId, id }: TokenRef) => `${namespaceId}/${id}`

export function createRenewals(parts: RenewalParts): Renewals {
  const { store, providers, clock, observer } = parts
  /** Tokens that this replica has claimed, until it has stored what came of it. */
  const held = new Map<string, { ref: TokenRef; renewal: Promise<Renewal | null> }>()
  /** Callers of one token share one attempt. */
  const asking = new Map<string, Promise<Renewal | null>>()
  /** Claims being made, and those made: what a shutdown waits for. */
  const { track, allDone } = createTracker()
  let closed = false

  const hold = (claim: Claim, provider: Provider, startedMs: number): Promise<Renewal | null> => {
    const key = keyOf(claim.token)
    const renewal = track(renewToken(parts, claim, provider, startedMs)).finally(() => held.delete(key))
    held.set(key, { ref: claim.token, renewal })
    return renewal
  }
  const claimOne = async (token: Token, provider: Provider, forced: boolean) => {
    const startedMs = clock.monotonicMs()
    const claim = await store.claim(token, renewalTerms(provider), forced)
    return claim === null ? 'refused' : hold(claim, provider, startedMs)
  }
  const claimDue = async (limit: number): Promise<number> => {
    const startedMs = clock.monotonicMs()
    const busy = Array.from(held.values(), ({ ref }) => ref)
    const claims = await store.claimDue(limit, providers.all().map(renewalTerms), busy)
    for (const claim of claims) {
      const provider = providers.find(claim.token.provider)
      if (provider === null) continue
      hold(claim, provider, startedMs).catch((error: unknown) => {
        observer.refresherFailed(error)
      })
    }
    return claims.length
  }
  /** Check, claim, check again: whoever does not get the claim waits for the one who has it. */
  const ask = async (asked: Token, provider: Provider, forced: boolean): Promise<Renewal | null> => {
    for (let token = asked; ;) {
      const own = held.get(keyOf(token))
      if (own !== undefined) return own.renewal
      if (closed)
        throw new VaultError('storage_unavailable', 'The vault is stopping.', { retryAfterSeconds: 1 })
      const renewal = await track(claimOne(token, provider, forced))
      if (renewal !== 'refused') return renewal
      const outcome = await awaitPeer(parts, token)
      if (outcome === null || !('again' in outcome)) return outcome
      token = outcome.again
    }
  }

  return {
    renew(token, provider, forced) {
      const key = `${keyOf(token)} ${forced}`
      const shared = asking.get(key)
      if (shared !== undefined) return shared
      const asked = ask(token, provider, forced).finally(() => asking.delete(key))
      asking.set(key, asked)
      return asked
    },
    renewDue: (limit) => (closed ? Promise.resolve(0) : track(claimDue(limit))),
    inFlight: () => held.size,
    async close() {
      closed = true
      await allDone()
    },
  }
}

function createTracker() {
  const underWay = new Set<Promise<unknown>>()
  return {
    track: <Result>(work: Promise<Result>): Promise<Result> => {
      const tracked = work.finally(() => underWay.delete(tracked))
      underWay.add(tracked)
      return tracked
    },
    allDone: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
  }
}

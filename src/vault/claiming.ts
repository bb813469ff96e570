import type { Provider } from '../domain/provider.ts'
import type { Claim } from '../domain/renewal.ts'
import { renewalTerms } from '../domain/renewal.ts'
import type { DueTerms } from '../domain/token-store.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import type { HeadStart } from './head-start.ts'
import type { Places } from './places.ts'
import type { RenewalParts } from './renew-token.ts'

/** A claim, with a place taken for it. */
export interface Claimed {
  claim: Claim
  provider: Provider
  /** The monotonic moment before the claim was asked for. */
  startedMs: number
}

/** Makes claims, each with a place for its renewal. */
export interface Claiming {
  /** Null where the storage, or `isWanted` once there is a place, says no. */
  one(token: Token, provider: Provider, forced: boolean, isWanted: () => boolean): Promise<Claimed | null>
  /**
   * As many as there are places; `more` says that there may be others by now. Of a provider that does not answer this
   * replica no more than may probe: another replica may reach it, and a back-off would hold that one back too.
   */
  due(busy: TokenRef[]): Promise<{ claimed: Claimed[]; more: boolean }>
}

export function createClaiming(
  parts: Pick<RenewalParts, 'store' | 'providers' | 'clock'> & { headStart: HeadStart },
  places: Places,
): Claiming {
  const { store, providers, clock, headStart } = parts

  return {
    async one(token, provider, forced, isWanted) {
      await places.take(provider.name)
      const startedMs = clock.monotonicMs()
      let claim: Claim | null = null
      try {
        const options = { forced, takeOver: headStart.isOver() }
        if (isWanted()) claim = await headStart.watch(store.claim(token, renewalTerms(provider), options))
      } finally {
        if (claim === null) places.give(provider.name)
      }
      return claim && { claim, provider, startedMs }
    },
    async due(busy) {
      headStart.look()
      const reservation = places.reserve()
      const probes = new Map(providers.all().map(({ name }) => [name, providers.leftAlone(name)?.probes]))
      const terms = providers.all().map((provider) => ({
        ...renewalTerms(provider),
        places: Math.min(reservation.of(provider.name), probes.get(provider.name) ?? Infinity),
      }))
      const startedMs = clock.monotonicMs()
      let claims: Claim[] = []
      try {
        const options = { limit: reservation.total, busy, takeOver: headStart.isOver() }
        if (reservation.total > 0) claims = await headStart.watch(store.claimDue(terms, options))
      } finally {
        reservation.keep(claims.map(({ token }) => token.provider))
      }
      const claimed = claims.flatMap((claim) => {
        const provider = providers.find(claim.token.provider)
        return provider === null ? [] : [{ claim, provider, startedMs }]
      })
      const searched = terms.filter(({ provider }) => probes.get(provider) !== 0)
      const more = claims.length === reservation.total || searched.some((term) => isFull(term, claims))
      return { claimed, more }
    },
  }
}

/** A provider has had all its places filled, or had none: who knows how many more of its tokens are due. */
function isFull({ provider, places }: DueTerms, claims: Claim[]): boolean {
  return claims.filter(({ token }) => token.provider === provider).length === places
}

import type { Caller } from '../domain/caller.ts'
import { isTraded } from '../domain/exchange.ts'
import { refreshDueAt } from '../domain/life.ts'
import type { Candidate, SaveRequest } from '../domain/save.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import { SOUND } from '../domain/token.ts'
import type { SaveParts } from './plan-save.ts'
import { planSave } from './plan-save.ts'

/**
 * What a code was traded for is merged as any save. Only whoever took over a lease that ran out may have stored a
 * token for the same code: it stays, and the late answer is recorded and dropped.
 */
export function planExchange(parts: SaveParts, caller: Caller, save: SaveRequest) {
  const { keyId: actor } = caller
  const plan = planSave(parts, caller, save)
  return (candidates: Candidate[], now: Date): SavePlan => {
    const peer = candidates.find((candidate) => wasTraded(candidate, save))?.token
    if (peer === undefined) {
      const planned = plan(candidates, now)
      const token = vouchedFor(planned.token, save, parts, now)
      return { ...planned, token, events: [...planned.events, { type: 'exchange.succeeded', actor }] }
    }
    // Where it is this very answer, an earlier try has committed it, unheard.
    const isOurs = save.accessToken?.equals(peer.accessToken) === true
    const events = isOurs ? [] : [{ type: 'exchange.dropped', actor } as const]
    return { token: peer, replaces: peer, absorbed: null, events }
  }
}

function wasTraded({ token, shares }: Candidate, { provider, clientId }: SaveRequest): boolean {
  return shares.grant_token && token.provider === provider && token.clientId === clientId && isTraded(token)
}

/** The provider has just given this refresh token, also where it is the one that it has refused before. */
function vouchedFor(token: Token, save: SaveRequest, { providers, policy }: SaveParts, now: Date): Token {
  if (token.status === 'active' || !save.refreshToken?.equals(token.refreshToken)) return token
  const sound = { ...token, ...SOUND }
  return { ...sound, refreshDueAt: refreshDueAt(sound, providers.find(token.provider), now, policy) }
}

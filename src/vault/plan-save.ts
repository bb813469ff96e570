import { v7 as uuidv7 } from 'uuid'
import type { Caller } from '../domain/caller.ts'
import { invalidRequest, VaultError } from '../domain/errors.ts'
import type { Event } from '../domain/event.ts'
import type { IfVersion } from '../domain/if-version.ts'
import { checkVersion } from '../domain/if-version.ts'
import type { SchedulePolicy } from '../domain/life.ts'
import { emptyToken, mergeNew, mergeSave } from '../domain/merge.ts'
import type { StaleField } from '../domain/merge.ts'
import type { Providers } from '../domain/provider.ts'
import type { Candidate, Match, SaveRequest } from '../domain/save.ts'
import { bringsToken, matchSave } from '../domain/save.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import { DEFAULT_PROVIDER } from '../domain/token.ts'

export interface SaveParts {
  providers: Providers
  policy: SchedulePolicy
}

/** What a save does to the tokens that it meets: decided here, carried out by the store. */
export function planSave(
  { providers, policy }: SaveParts,
  caller: Caller,
  save: SaveRequest,
  ifVersion: IfVersion = 'any',
) {
  return (candidates: Candidate[], now: Date): SavePlan => {
    const match = matchSave(save, candidates)
    const stored = match?.candidate.token ?? null
    checkVersion(stored?.version ?? null, ifVersion)
    const name = stored?.provider ?? save.provider ?? DEFAULT_PROVIDER
    checkApiDomain(save.apiDomain, name, providers)
    const merging = { now, provider: providers.find(name), policy }
    if (match === null) {
      const empty = emptyToken(caller.namespaceId, save.id ?? uuidv7(), name, now)
      return planNew(save, mergeNew(save, empty, merging), caller)
    }
    const { token, ignored } = mergeSave(save, match, merging)
    return {
      token,
      replaces: match.candidate.token,
      absorbed: match.absorbed?.token ?? null,
      events: eventsOf(caller, match, token !== stored, ignored),
    }
  }
}

function planNew(save: SaveRequest, token: Token, { keyId }: Caller): SavePlan {
  if (!bringsToken(save)) {
    const detail =
      'No token matches, and the save has no access_token, refresh_token or grant_token to start one with.'
    throw new VaultError('nothing_to_store', detail)
  }
  return { token, replaces: null, absorbed: null, events: [{ type: 'token.created', actor: keyId }] }
}

function eventsOf(
  { keyId: actor }: Caller,
  { absorbed }: Match,
  changed: boolean,
  ignored: StaleField[],
): Event[] {
  return [
    ...(absorbed === null
      ? []
      : [{ type: 'token.absorbed', actor, facts: { token_id: absorbed.token.id } } as const]),
    ...(changed ? [{ type: 'token.updated', actor } as const] : []),
    ...(ignored.length === 0 ? [] : [{ type: 'save.stale', actor, facts: { ignored } } as const]),
  ]
}

/** @throws VaultError `invalid_request` for a domain that none of the provider's data centres has */
export function checkApiDomain(apiDomain: string | null, provider: string, providers: Providers): void {
  const known = providers.apiDomains(provider)
  if (apiDomain === null || known === null || known.includes(apiDomain)) return
  const fault = `no data centre of ${provider} has it; known are ${known.join(', ')}`
  throw invalidRequest('The api_domain is unknown.', '/api_domain', fault)
}

import type { Caller } from '../domain/caller.ts'
import { MERGED_FIELDS } from '../domain/merge.ts'
import type { Candidate, SaveRequest } from '../domain/save.ts'
import { matchSave } from '../domain/save.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { SaveParts } from './plan-save.ts'
import { planSave } from './plan-save.ts'

/**
 * A save of what another store kept. It differs from a caller's in two ways: an id counted up elsewhere says nothing
 * about whose token it is, so that it names a new token where it is free, and matches none; and what expires before
 * the token that is here is the older state of it, which fills its blanks and replaces nothing.
 */
export function planImport(parts: SaveParts, caller: Caller, save: SaveRequest) {
  return (candidates: Candidate[], now: Date): SavePlan => {
    const bare = { ...save, id: null }
    const unnamed = named(candidates, null)
    const stored = matchSave(bare, unnamed)?.candidate.token ?? null
    const plan = (asked: SaveRequest, among: Candidate[]) => planSave(parts, caller, asked)(among, now)
    if (stored === null) return plan(candidates.some(({ shares }) => shares.id) ? bare : save, unnamed)
    if (!isOlder(save, stored)) return plan(bare, unnamed)
    return plan({ ...blanksOf(stored, save), id: stored.id }, named(candidates, stored))
  }
}

/** The same candidates, of which this one alone has the id of the save. */
function named(candidates: Candidate[], one: Token | null): Candidate[] {
  return candidates.map((each) => ({ ...each, shares: { ...each.shares, id: each.token === one } }))
}

/** A grant that the provider has refused is worth less than any other. */
function isOlder(save: SaveRequest, { status, expiresAt }: Token): boolean {
  return status !== 'reauth_required' && expiresAt !== null && Number(save.expiresAt) < expiresAt.getTime()
}

/** What of the save the token does not know; an access token that is older than its own is of no use. */
function blanksOf(token: Token, save: SaveRequest): SaveRequest {
  const known = MERGED_FIELDS.filter((field) => token[field] !== null)
  return {
    ...save,
    ...Object.fromEntries(known.map((field) => [field, null])),
    ...{ id: null, provider: null, accessToken: null, expiresAt: null, expiresInSeconds: null },
  }
}

import type { TestDatabase } from './database.ts'
import type { Presented } from './rotating-provider.ts'

/** One claim of a token, from its events. */
export interface ToldClaim {
  fence: number
  claimedAtMs: number
  by: string
  /** The types of the events that end it, without `renewal.`. */
  ends: string[]
  /** Of the event that ends it. */
  endedAtMs: number
}

interface Row {
  family: number
  type: string
  at: Date
  facts: { fence: number; by?: string }
}

/** The claims of each token, oldest first, by the number of its family, which is its user's name. */
export async function claimsOf(database: Pick<TestDatabase, 'query'>): Promise<Map<number, ToldClaim[]>> {
  const rows = await database.query<Row>(
    `select user_name::int as family, type, at, facts from events
      join tokens on tokens.namespace_id = events.namespace_id and tokens.id = token_id
      where type like 'renewal.%' order by events.id`,
  )
  const claims = new Map<number, ToldClaim[]>()
  for (const { family, type, at, facts } of rows) {
    const told = claims.get(family) ?? []
    claims.set(family, told)
    const name = type.slice('renewal.'.length)
    if (name === 'claimed') {
      const claim = {
        fence: facts.fence,
        claimedAtMs: at.getTime(),
        by: facts.by ?? '',
        ends: [],
        endedAtMs: NaN,
      }
      told.push(claim)
      continue
    }
    const ended = told.find(({ fence }) => fence === facts.fence)
    if (ended === undefined) throw new Error(`token ${family}: ${type} of a fence that was never claimed`)
    ended.ends.push(name)
    ended.endedAtMs = at.getTime()
  }
  return claims
}

/**
 * What the provider saw and what the vault tells, one to one: each refresh token that was presented belongs to a claim,
 * no claim presented two, and what a claim tells of its end agrees with what the provider did. A sentence for each
 * discrepancy.
 */
export function discrepancies(log: Presented[], claims: Map<number, ToldClaim[]>): string[] {
  const faults: string[] = []
  const presented = Map.groupBy(log, ({ family }) => family)
  for (const family of new Set([...presented.keys(), ...claims.keys()])) {
    const told = claims.get(family) ?? []
    const seen = new Map<ToldClaim, Presented>()
    for (const one of presented.get(family) ?? []) {
      const claim = presenterOf(one, told)
      const what = `token ${family}: generation ${one.generation}`
      if (claim === undefined) faults.push(`${what} was presented without a claim`)
      else if (seen.has(claim)) faults.push(`${what} was presented by a claim that had presented one before`)
      else seen.set(claim, one)
    }
    for (const claim of told) faults.push(...faultsOf(family, claim, seen.get(claim)))
  }
  return faults
}

/** The claim that presented it: the last one before it, since a claim ends before there is another one of its token. */
export function presenterOf({ atMs }: Presented, claims: ToldClaim[]): ToldClaim | undefined {
  return claims.findLast(({ claimedAtMs }) => claimedAtMs <= atMs)
}

function faultsOf(family: number, { fence, ends }: ToldClaim, presented: Presented | undefined): string[] {
  const what = `token ${family}: claim ${fence}`
  const isGood = presented?.outcome === 'renewed' || presented?.outcome === 'replayed'
  if (ends.length === 0) return [`${what} never ended`]
  if (ends.includes('succeeded') && !isGood) return [`${what} succeeded, but not at the provider`]
  if (presented?.heard === true && isGood && ends.every((end) => end === 'failed'))
    return [`${what} failed, though the provider's answer was heard`]
  return []
}

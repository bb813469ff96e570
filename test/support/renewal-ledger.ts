import type { TestDatabase } from './database.ts'
import type { Presented } from './rotating-provider.ts'

/** One claim of a token, from its events and the provider's log. */
interface ToldClaim {
  /** The number of the token's family, which is its user's name. */
  family: number
  fence: number
  claimedAtMs: number
  by: string
  /** The types of the events that end it, without `renewal.`. */
  ends: string[]
  /** Of the event that ends it. */
  endedAtMs: number
  /** What it has presented to the provider, if anything. */
  presented: Presented | null
}

/** What the provider saw and what the vault tells, one to one. */
export interface RenewalLedger {
  /** Of each token the oldest first. */
  claims: ToldClaim[]
  /** What no claim can have presented. */
  strays: Presented[]
}

interface Row {
  family: number
  type: string
  at: Date
  facts: { fence: number; by?: string }
}

export async function ledgerOf(
  database: Pick<TestDatabase, 'query'>,
  log: readonly Presented[],
): Promise<RenewalLedger> {
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
      told.push(claimed(family, at.getTime(), facts))
      continue
    }
    const ended = told.find(({ fence }) => fence === facts.fence)
    if (ended === undefined) throw new Error(`token ${family}: ${type} of a fence that was never claimed`)
    ended.ends.push(name)
    ended.endedAtMs = at.getTime()
  }
  const strays: Presented[] = []
  for (const presented of log) {
    const claim = presenterOf(presented, claims.get(presented.family) ?? [])
    if (claim === undefined) strays.push(presented)
    else claim.presented = presented
  }
  return { claims: [...claims.values()].flat(), strays }
}

const claimed = (family: number, claimedAtMs: number, { fence, by = '' }: Row['facts']): ToldClaim => ({
  family,
  fence,
  claimedAtMs,
  by,
  ends: [],
  endedAtMs: NaN,
  presented: null,
})

/**
 * The last claim before it, since a claim ends before there is another one of its token. Where that one has presented
 * something already, it is what a claim had sent that was cut off: a request may come behind its replay.
 */
function presenterOf({ atMs }: Presented, told: ToldClaim[]): ToldClaim | undefined {
  const before = told.filter(({ claimedAtMs }) => claimedAtMs <= atMs)
  const last = before.at(-1)
  if (last?.presented === null) return last
  return before.findLast(({ ends, presented }) => presented === null && ends.includes('taken_over'))
}

/**
 * Each refresh token that was presented belongs to a claim of its own, and what a claim tells of its end agrees with
 * what the provider did. A sentence for each discrepancy.
 */
export function discrepancies({ claims, strays }: RenewalLedger): string[] {
  return [
    ...strays.map(
      ({ family, generation }) =>
        `token ${family}: generation ${generation} was presented without a claim of its own`,
    ),
    ...claims.flatMap(faultsOf),
  ]
}

function faultsOf({ family, fence, ends, presented }: ToldClaim): string[] {
  const what = `token ${family}: claim ${fence}`
  const isGood = presented?.outcome === 'renewed' || presented?.outcome === 'replayed'
  if (ends.length === 0) return [`${what} never ended`]
  if (ends.includes('succeeded') && !isGood) return [`${what} succeeded, but not at the provider`]
  if (presented?.heard === true && isGood && ends.every((end) => end === 'failed'))
    return [`${what} failed, though the provider's answer was heard`]
  return []
}

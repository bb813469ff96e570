import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Openable } from '../domain/token-store.ts'
import { createBatch } from './batch.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { isPassing } from './storage-faults.ts'
import type { StoredJson, StoredToken } from './stored-token.ts'
import { readStored, STORED_TOKEN } from './stored-token.ts'
import { METADATA, userKey, WITH_ACCESS_TOKEN } from './token-rows.ts'

/** What the statement of a single look-up answers: a row for each token. */
interface Row {
  token: StoredJson
  now: Date
}

/** What the statement of several answers: all that it found, each with the number of its look-up, from 1. Null for nothing. */
interface Answer {
  found: [nth: number, token: StoredJson][] | null
  now: Date
}

/** At most 100 rows, and the database's clock at that moment; of none it means nothing. */
interface FoundRows {
  rows: StoredToken[]
  now: Date
}

export type LookUp = (
  keys: NamespaceKeys,
  criterion: Criterion,
  narrowing: Narrowing,
  openable: Openable,
) => Promise<FoundRows>

interface Asked extends Narrowing {
  namespaceId: string
  value: string | Buffer
}

/** A second one says that there are several: then nobody is shown their secrets, of which each may have 64 KB. */
const MOST_FOUND = 2
const MOST_MATCHES = 100
/** A hundred look-ups take a few milliseconds. */
const PATIENCE_MS = 100

/** What a token answers to, in terms of `asked.value`, and the type of that; each by the index that it names. */
const CONDITIONS: Record<Criterion['by'], { type: 'text' | 'bytea'; matches: string }> = {
  /** tokens_pkey */
  id: { type: 'text', matches: 'id = value' },
  /** tokens_identity */
  user_name: { type: 'bytea', matches: 'user_key = value' },
  /** refresh_tokens_pkey, then tokens_pkey */
  refresh_token: {
    type: 'bytea',
    matches: `id = (select token_id from refresh_tokens where namespace_id = of_namespace and digest = value)`,
  },
  /** tokens_grant */
  grant_token: { type: 'bytea', matches: 'grant_digest = value' },
  /** tokens_access */
  access_token: { type: 'bytea', matches: 'access_digest = value' },
}

/**
 * Look-ups of one turn of the event loop that go by the same make one statement, whosever they are. The limit of each
 * keeps it a look-up of its own in the plan: an index is searched once for each, however many they are. Where several
 * tokens match, they come without their secrets.
 */
export function createLookUp(db: Db): LookUp {
  const lookUpsOf = (openable: Openable) =>
    Object.fromEntries(
      Object.keys(CONDITIONS).map((by) => [by, lookUpBy(db, by as Criterion['by'], openable)]),
    ) as Record<Criterion['by'], (asked: Asked) => Promise<FoundRows>>
  const lookUps: Record<Openable, ReturnType<typeof lookUpsOf>> = {
    all: lookUpsOf('all'),
    access_token: lookUpsOf('access_token'),
  }
  return (keys, criterion, { provider, clientId }, openable) =>
    lookUps[openable][criterion.by]({
      namespaceId: keys.namespaceId,
      value: valueOf(keys, criterion),
      provider,
      clientId,
    })
}

function lookUpBy(db: Db, by: Criterion['by'], openable: Openable) {
  const statements = statementsOf(by, openable)
  const runOne = async (text: string, asked: Asked): Promise<FoundRows> => {
    const rows = await runPrepared<Row>(db, text, columnsOf([asked]).flat())
    return { rows: rows.map(({ token }) => readStored(token)), now: rows[0]?.now ?? new Date(0) }
  }
  const runMany = async (items: readonly Asked[]): Promise<FoundRows[]> => {
    const [answer] = await runPrepared<Answer>(db, statements.many, columnsOf(items))
    const { found, now } = answer ?? { found: null, now: new Date(0) }
    const results: FoundRows[] = items.map(() => ({ rows: [], now }))
    for (const [nth, token] of found ?? []) results[nth - 1]?.rows.push(readStored(token))
    return results
  }
  const inBatch = createBatch<Asked, FoundRows>({
    isCommon: isPassing,
    patienceMs: PATIENCE_MS,
    async run(items) {
      const [single, ...more] = items
      return single === undefined || more.length > 0 ? runMany(items) : [await runOne(statements.one, single)]
    },
  })
  const areSeveral = ({ rows }: FoundRows) => rows.length >= MOST_FOUND
  return async function lookUp(asked: Asked): Promise<FoundRows> {
    const found = await inBatch(asked)
    if (!areSeveral(found)) return found
    const matches = await runOne(statements.matches, asked)
    // Where all but one were deleted in between, its secrets are wanted.
    return areSeveral(matches) ? matches : lookUp(asked)
  }
}

function columnsOf(items: readonly Asked[]): unknown[][] {
  return [
    items.map(({ namespaceId }) => namespaceId),
    items.map(({ value }) => value),
    items.map(({ provider }) => provider),
    items.map(({ clientId }) => clientId),
  ]
}

const SELECTED: Record<Openable, [token: string, suffix: string]> = {
  all: [STORED_TOKEN, ''],
  access_token: [WITH_ACCESS_TOKEN, '_access'],
}

/** For a single look-up Postgres need make no list, neither of what is asked for nor of what is found. */
function statementsOf(by: Criterion['by'], openable: Openable): Record<'one' | 'many' | 'matches', string> {
  const { type, matches } = CONDITIONS[by]
  const names = 'of_namespace, value, of_provider, of_client'
  const isFound = `namespace_id = of_namespace and ${matches}
      and (of_provider is null or provider = of_provider) and (of_client is null or client_id = of_client)`
  const oneOf = (name: string, selected: string, most: number) =>
    `/* ${name} */ select ${selected} as token, now() as now
    from (select $1::uuid, $2::${type}, $3::text, $4::text) as asked (${names}) cross join tokens
    where ${isFound} limit ${most}`
  const manyOf = (name: string, selected: string, most: number) =>
    `/* ${name} */ select json_agg(json_build_array(nth, found.token)) as found, now() as now
    from unnest($1::uuid[], $2::${type}[], $3::text[], $4::text[]) with ordinality as asked (${names}, nth)
    cross join lateral (select ${selected} as token from tokens where ${isFound} limit ${most}) as found`
  const [selected, suffix] = SELECTED[openable]
  return {
    one: oneOf(`find${suffix}_by_${by}`, selected, MOST_FOUND),
    many: manyOf(`find${suffix}_many_by_${by}`, selected, MOST_FOUND),
    matches: oneOf(`matches_by_${by}`, METADATA, MOST_MATCHES),
  }
}

function valueOf(keys: NamespaceKeys, criterion: Criterion): string | Buffer {
  switch (criterion.by) {
    case 'id':
      return criterion.id
    case 'user_name':
      return userKey(criterion.userName)
    default:
      return keys.digest(criterion.by, criterion.token)
  }
}

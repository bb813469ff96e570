import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import { createBatch } from './batch.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { isPassing } from './storage-faults.ts'
import type { StoredJson, StoredToken } from './stored-token.ts'
import { readStored, STORED_TOKEN } from './stored-token.ts'
import { METADATA, userKey } from './token-rows.ts'

/** What a statement answers: all that it found, each with the number of its look-up, from 1. Null for nothing. */
interface Answer {
  found: [nth: number, token: StoredJson][] | null
  now: Date
}

/** At most 100 rows, and the database's clock at that moment. */
interface FoundRows {
  rows: StoredToken[]
  now: Date
}

export type LookUp = (keys: NamespaceKeys, criterion: Criterion, narrowing: Narrowing) => Promise<FoundRows>

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
 * Look-ups of one turn of the event loop make one statement, whosever they are. The limit of each keeps it a look-up of
 * its own in the plan: an index is searched once for each, however many they are. Where several tokens match, they come
 * without their secrets.
 */
export function createLookUp(db: Db): LookUp {
  const lookUps = Object.fromEntries(
    Object.keys(CONDITIONS).map((by) => [by, lookUpBy(db, by as Criterion['by'])]),
  ) as Record<Criterion['by'], (asked: Asked) => Promise<FoundRows>>
  return (keys, criterion, { provider, clientId }) =>
    lookUps[criterion.by]({
      namespaceId: keys.namespaceId,
      value: valueOf(keys, criterion),
      provider,
      clientId,
    })
}

function lookUpBy(db: Db, by: Criterion['by']) {
  const statements = statementsOf(by)
  const run = async (text: string, items: readonly Asked[], values: unknown[]): Promise<FoundRows[]> => {
    const [answer] = await runPrepared<Answer>(db, text, values)
    const { found, now } = answer ?? { found: null, now: new Date(0) }
    const results: FoundRows[] = items.map(() => ({ rows: [], now }))
    for (const [nth, token] of found ?? []) results[nth - 1]?.rows.push(readStored(token))
    return results
  }
  const inBatch = createBatch<Asked, FoundRows>({
    isCommon: isPassing,
    patienceMs: PATIENCE_MS,
    run: (items) =>
      items.length === 1
        ? run(statements.one, items, columnsOf(items).flat())
        : run(statements.many, items, columnsOf(items)),
  })
  const areSeveral = ({ rows }: FoundRows) => rows.length >= MOST_FOUND
  return async function lookUp(asked: Asked): Promise<FoundRows> {
    const found = await inBatch(asked)
    if (!areSeveral(found)) return found
    const [matches] = await run(statements.matches, [asked], columnsOf([asked]).flat())
    // Where all but one were deleted in between, its secrets are wanted.
    return matches !== undefined && areSeveral(matches) ? matches : lookUp(asked)
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

/** For a single look-up Postgres need not make a list of it first. */
function statementsOf(by: Criterion['by']): Record<'one' | 'many' | 'matches', string> {
  const { type, matches } = CONDITIONS[by]
  const one = `(select $1::uuid, $2::${type}, $3::text, $4::text, 1)`
  const many = `unnest($1::uuid[], $2::${type}[], $3::text[], $4::text[]) with ordinality`
  const textOf = (name: string, asked: string, selected: string, most: number) =>
    `/* ${name} */ select json_agg(json_build_array(nth, found.token)) as found, now() as now
    from ${asked} as asked (of_namespace, value, of_provider, of_client, nth)
    cross join lateral (select ${selected} as token from tokens where namespace_id = of_namespace and ${matches}
      and (of_provider is null or provider = of_provider) and (of_client is null or client_id = of_client)
      limit ${most}) as found`
  return {
    one: textOf(`find_by_${by}`, one, STORED_TOKEN, MOST_FOUND),
    many: textOf(`find_many_by_${by}`, many, STORED_TOKEN, MOST_FOUND),
    matches: textOf(`matches_by_${by}`, one, METADATA, MOST_MATCHES),
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

import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import { createBatch } from './batch.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { isPassing } from './storage-faults.ts'
import type { StoredJson, StoredToken } from './stored-token.ts'
import { readStored, STORED_TOKEN } from './stored-token.ts'
import { userKey } from './token-rows.ts'

/** What a statement answers: all that it found, each with the number of its look-up, from 1. Null for nothing. */
interface Answer {
  found: [nth: number, token: StoredJson][] | null
  now: Date
}

/** At most 100 rows, and the database's clock at that moment; nobody asks for the time of none. */
interface FoundRows {
  rows: StoredToken[]
  now: Date
}

export type LookUp = (keys: NamespaceKeys, criterion: Criterion, narrowing: Narrowing) => Promise<FoundRows>

interface Asked extends Narrowing {
  namespaceId: string
  value: string | Buffer
}

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
 * its own in the plan: an index is searched once for each, however many they are.
 */
export function createLookUp(db: Db): LookUp {
  const batches = Object.fromEntries(
    Object.keys(CONDITIONS).map((by) => [by, batchOf(db, by as Criterion['by'])]),
  ) as Record<Criterion['by'], (asked: Asked) => Promise<FoundRows>>
  return (keys, criterion, { provider, clientId }) =>
    batches[criterion.by]({
      namespaceId: keys.namespaceId,
      value: valueOf(keys, criterion),
      provider,
      clientId,
    })
}

function batchOf(db: Db, by: Criterion['by']) {
  const statements = statementsOf(by)
  return createBatch<Asked, FoundRows>({
    isCommon: isPassing,
    patienceMs: PATIENCE_MS,
    async run(items) {
      const columns = [
        items.map(({ namespaceId }) => namespaceId),
        items.map(({ value }) => value),
        items.map(({ provider }) => provider),
        items.map(({ clientId }) => clientId),
      ]
      const [answer] =
        items.length === 1
          ? await runPrepared<Answer>(db, statements.one, columns.flat())
          : await runPrepared<Answer>(db, statements.many, columns)
      const { found, now } = answer ?? { found: null, now: new Date(0) }
      const results: FoundRows[] = items.map(() => ({ rows: [], now }))
      for (const [nth, token] of found ?? []) results[nth - 1]?.rows.push(readStored(token))
      return results
    },
  })
}

/** For a single look-up Postgres need not make a list of it first. */
function statementsOf(by: Criterion['by']): { one: string; many: string } {
  const { type, matches } = CONDITIONS[by]
  const textOf = (
    name: string,
    asked: string,
  ) => `/* ${name} */ select json_agg(json_build_array(nth, found.token)) as found, now() as now
    from ${asked} as asked (of_namespace, value, of_provider, of_client, nth)
    cross join lateral (select ${STORED_TOKEN} as token from tokens where namespace_id = of_namespace and ${matches}
      and (of_provider is null or provider = of_provider) and (of_client is null or client_id = of_client)
      limit ${MOST_MATCHES}) as found`
  return {
    one: textOf(`find_by_${by}`, `(select $1::uuid, $2::${type}, $3::text, $4::text, 1)`),
    many: textOf(
      `find_many_by_${by}`,
      `unnest($1::uuid[], $2::${type}[], $3::text[], $4::text[]) with ordinality`,
    ),
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

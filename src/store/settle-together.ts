import type { Claim, Settlement } from '../domain/renewal.ts'
import type { Token } from '../domain/token.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { RING_SQL } from './settled-columns.ts'
import { COLUMN_NAMES } from './stored-token.ts'
import type { Columns } from './token-rows.ts'
import { toRecord } from './token-rows.ts'
import { UUID_V7 } from './uuid-v7.ts'

/** What came of a claim, and the columns that it changes. */
export interface Settling {
  claim: Claim
  settlement: Settlement
  columns: Columns
  /** Who has claimed it. A standby that was promoted without the claim may have given its fence to another one. */
  owner: string
}

const WRITTEN = Object.values(COLUMN_NAMES).filter((column) => column !== 'updated_at')
/**
 * By the primary key; the limit keeps Postgres from a plan that reads the whole table. Whoever waits for a lock makes the
 * others wait: a token that somebody has locked is left out.
 */
const SETTLE = `/* settle_tokens */
  with settling as (
    select * from jsonb_to_recordset($1::jsonb) as settling (namespace_id uuid, id text, fence int, version int,
      created_at timestamptz, owner text, change jsonb, succeeded boolean, type text, facts jsonb) limit $2
  ), plain as (
    select settling.* from settling cross join lateral (
      select from tokens
      where namespace_id = settling.namespace_id and id = settling.id and fence = settling.fence
        and version = settling.version and lease_until is not null and lease_owner = settling.owner
        and date_trunc('milliseconds', created_at) = settling.created_at
      for update skip locked
    ) as held
  ), stored as (
    update tokens set (${WRITTEN.join(', ')}) = (
        select ${WRITTEN.join(', ')} from jsonb_populate_record(tokens, change)),
      updated_at = now(), lease_owner = null, claimed_at = null,
      replaced_access = case when succeeded then ${RING_SQL} else replaced_access end
    from plain where tokens.namespace_id = plain.namespace_id and tokens.id = plain.id
    returning tokens.*, type, facts, change
  ), told as (
    insert into events (namespace_id, id, token_id, type, at, actor, facts)
    select namespace_id, ${UUID_V7}, id, type, clock_timestamp(), '${REFRESHER}', facts from stored
  ), kept as (
    insert into refresh_tokens (namespace_id, token_id, digest)
    select namespace_id, id, refresh_digest from stored where change ? 'refresh_digest'
    on conflict do nothing
  )
  select namespace_id as "namespaceId", id, fence, updated_at as "updatedAt", last_used_at as "lastUsedAt" from stored`

/** What only the database knows of a token that is stored. */
interface StoredRow {
  namespaceId: string
  id: string
  fence: number
  updatedAt: Date
  lastUsedAt: Date | null
}

/**
 * Stores what came of many claims in one statement, each by its own compare-and-set, wherever nothing has happened to
 * the token since it was claimed. Null for the others, of which nothing is stored.
 */
export async function settleTogether(db: Db, settlings: readonly Settling[]): Promise<(Token | null)[]> {
  const rows = await runPrepared<StoredRow>(db, SETTLE, [
    JSON.stringify(settlings.map(toSettlingRecord)),
    settlings.length,
  ])
  const stored = new Map(rows.map((row) => [keyOf(row), row]))
  return settlings.map(({ claim: { token, fence }, settlement }) => {
    const row = stored.get(keyOf({ ...token, fence }))
    if (row === undefined) return null
    const { updatedAt, lastUsedAt } = row
    return { ...settlement.token, leaseUntil: null, version: token.version + 1, updatedAt, lastUsedAt }
  })
}

const keyOf = ({ namespaceId, id, fence }: Pick<StoredRow, 'namespaceId' | 'id' | 'fence'>) =>
  `${namespaceId}/${id}/${fence}`

function toSettlingRecord({ claim: { token, fence }, settlement: { event }, columns, owner }: Settling) {
  return {
    namespace_id: token.namespaceId,
    id: token.id,
    fence,
    version: token.version,
    created_at: token.createdAt,
    owner,
    change: { ...toRecord(columns), version: token.version + 1, lease_until: null },
    succeeded: event.type === 'renewal.succeeded',
    type: event.type,
    facts: event.facts ?? {},
  }
}

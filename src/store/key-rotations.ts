import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { NamespaceKeys } from '../domain/keyring.ts'
import { UnreadableError } from '../domain/unreadable-error.ts'
import type { Db } from './database.ts'
import type { Namespace } from './namespaces.ts'
import { listNamespaces } from './namespaces.ts'
import type { TokenRow } from './schema.ts'
import { guardStorage } from './storage-faults.ts'
import type { SealedColumn } from './token-rows.ts'
import { placeOf, SEALED_COLUMNS } from './token-rows.ts'

/** Some tokens of a namespace, one behind the other by id. */
export interface ResealedPage {
  /** The last id; null where there are no more tokens. */
  last: string | null
  tokens: number
  /** How many had a value under an older key. */
  old: number
  /** How many of these have none any more. */
  moved: number
  /** How many of them have one that does not open. The rest is locked just now. */
  left: number
  unreadable: UnreadableError[]
}

interface Rotation {
  /** What is under a data key from before then is to be moved. */
  startedAt: Date
  /** By an earlier run, which did not come to its end. */
  isContinued: boolean
}

export interface KeyRotationStore {
  /** The unfinished rotation where it began within a day and none is asked for anew, or else a new one in its place. */
  begin(anew: boolean): Promise<Rotation>
  finish(startedAt: Date): Promise<void>
  listNamespaces(): Promise<Namespace[]>
  countTokens(): Promise<number>
  /** Seals under the primary key what is under older ones, in the `size` tokens behind the id `after`. */
  resealPage(namespaceId: string, keys: NamespaceKeys, after: string, size: number): Promise<ResealedPage>
}

export function createKeyRotationStore(db: Db): KeyRotationStore {
  return guardStorage<KeyRotationStore>({
    begin: (anew) => begin(db, anew),
    async finish(startedAt) {
      await sql`update key_rotations set finished_at = now() where started_at = ${startedAt}`.execute(db)
    },
    listNamespaces: () => listNamespaces(db),
    async countTokens() {
      const { rows } = await sql<{ count: number }>`select count(*)::float8 as count from tokens`.execute(db)
      return rows[0]?.count ?? 0
    },
    resealPage: (namespaceId, keys, after, size) => resealPage(db, namespaceId, keys, after, size),
  })
}

/** Data keys made since the beginning count as new: after a day the reason to rotate may be that they were read. */
async function begin(db: Db, anew: boolean): Promise<Rotation> {
  await sql`delete from key_rotations
    where finished_at is null and (${anew} or started_at < now() - interval '1 day')`.execute(db)
  // Whole milliseconds, as a Date has them.
  const begun = await sql<{ startedAt: Date }>`
    insert into key_rotations (started_at) values (date_trunc('milliseconds', clock_timestamp()))
    on conflict do nothing returning started_at`.execute(db)
  if (begun.rows[0] !== undefined) return { ...begun.rows[0], isContinued: false }
  const unfinished = await sql<{ startedAt: Date }>`
    select started_at from key_rotations where finished_at is null`.execute(db)
  if (unfinished.rows[0] !== undefined) return { ...unfinished.rows[0], isContinued: true }
  return begin(db, anew)
}

/** Along the primary key. */
async function resealPage(
  db: Db,
  namespaceId: string,
  keys: NamespaceKeys,
  after: string,
  size: number,
): Promise<ResealedPage> {
  const isOld = olderThan(keys.primaryId)
  const { rows } = await sql<{ last: string | null; tokens: number; old: number }>`
    select max(id) as last, count(*)::int as tokens, count(*) filter (where ${isOld})::int as old from
      (select * from tokens where namespace_id = ${namespaceId} and id > ${after} order by id limit ${size}) as page`.execute(
    db,
  )
  const page: ResealedPage = { last: null, tokens: 0, old: 0, ...rows[0], moved: 0, left: 0, unreadable: [] }
  if (page.old === 0) return page
  const range = sql`namespace_id = ${namespaceId} and id > ${after} and id <= ${page.last}`
  return { ...page, ...(await resealRange(db, namespaceId, keys, range)) }
}

/** The key id is the big-endian number in bytes 2 to 5 of a sealed value. */
function olderThan(keyId: number): RawBuilder<boolean> {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(keyId)
  const columns = SEALED_COLUMNS.map(
    (column) => sql`coalesce(substring(${sql.ref(column)} from 2 for 4) < ${id}, false)`,
  )
  return sql`(${sql.join(columns, sql` or `)})`
}

type SealedRow = Pick<TokenRow, 'id' | SealedColumn>

const SEALED = sql.join(SEALED_COLUMNS.map((column) => sql.ref(column)))

/**
 * Rows stay locked from the reading to the commit, so that no renewal or save comes between; those that are locked
 * by one are left to the next sweep. Nothing but the ciphertext changes: no version, no time, no fence.
 */
async function resealRange(db: Db, namespaceId: string, keys: NamespaceKeys, range: RawBuilder<unknown>) {
  return db.transaction().execute(async (trx) => {
    // A process that is paused here must not hold the rows for longer than others wait for a lock.
    await sql`select set_config('idle_in_transaction_session_timeout', '1s', true)`.execute(trx)
    const { rows } = await sql<SealedRow>`
      select id, ${SEALED} from tokens
      where ${range} and ${olderThan(keys.primaryId)} order by id for update skip locked`.execute(trx)
    const unreadable: UnreadableError[] = []
    const resealed = rows.map((row) => resealRow(row, keys, unreadable))
    await write(trx, namespaceId, resealed)
    const left = new Set(unreadable.map(({ place }) => place.rowId)).size
    return { moved: rows.length - left, left, unreadable }
  })
}

/** A value that does not open stays as it is. */
function resealRow(row: SealedRow, keys: NamespaceKeys, unreadable: UnreadableError[]): SealedRow {
  const resealed = { ...row }
  for (const column of SEALED_COLUMNS) {
    const sealed = row[column]
    if (sealed === null) continue
    try {
      resealed[column] = keys.reseal(placeOf(row.id, column), sealed)
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      unreadable.push(error)
    }
  }
  return resealed
}

async function write(trx: Db, namespaceId: string, rows: SealedRow[]): Promise<void> {
  const changes = SEALED_COLUMNS.map((column) => sql`${sql.ref(column)} = ${sql.ref(`resealed.${column}`)}`)
  const values = SEALED_COLUMNS.map((column) => sql`${rows.map((row) => row[column])}::bytea[]`)
  await sql`
    update tokens set ${sql.join(changes)}
    from unnest(${rows.map(({ id }) => id)}::text[], ${sql.join(values)}) as resealed (id, ${SEALED})
    where tokens.namespace_id = ${namespaceId} and tokens.id = resealed.id`.execute(trx)
}

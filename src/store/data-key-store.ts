import { sql } from 'kysely'
import { NIL } from 'uuid'
import type { DataKeyStore, WrappedKey, Wrapping } from '../domain/keyring.ts'
import type { Db } from './database.ts'
import { guardStorage, sqlState } from './storage-faults.ts'

const NO_SUCH_NAMESPACE = '23503'

/** Wrapped data keys in Postgres, by their primary key. */
export function createDataKeyStore(db: Db): DataKeyStore {
  return guardStorage<DataKeyStore>({
    listKeys: (namespaceId) =>
      db.selectFrom('dataKeys').selectAll().where('namespaceId', '=', namespaceId).orderBy('id').execute(),
    async addKey(key) {
      const adding = db
        .insertInto('dataKeys')
        .values(key)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      await adding.catch((error: unknown) => {
        if (sqlState(error) !== NO_SUCH_NAMESPACE) throw error
      })
    },
    async sampleKeys() {
      const { rows } = await sql<WrappedKey & { count: number }>`
        select sample.*, count from
          (select master_key_id as master, count(*)::int as count from data_keys group by 1) as masters,
          lateral (select * from data_keys where master_key_id = master limit 1) as sample
        order by master`.execute(db)
      return rows.map(({ count, ...sample }) => ({ masterKeyId: sample.masterKeyId, count, sample }))
    },
    async countTokens(masterKeyId, most) {
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from (select from tokens where namespace_id in
          (select namespace_id from data_keys where master_key_id = ${masterKeyId}) limit ${most}) as needing`.execute(
        db,
      )
      return rows[0]?.count ?? 0
    },
    async listKeysOfOthers(masterKeyId, after, limit) {
      const { rows } = await sql<WrappedKey>`
        select * from data_keys where master_key_id <> ${masterKeyId}
          and (namespace_id, id) > (${after?.namespaceId ?? NIL}::uuid, ${after?.id ?? 0}::int)
        order by namespace_id, id limit ${limit}`.execute(db)
      return rows
    },
    rewrapKeys: (keys) => rewrapKeys(db, keys),
  })
}

async function rewrapKeys(db: Db, keys: { from: WrappedKey; to: Wrapping }[]): Promise<number> {
  const { numAffectedRows } = await sql`
    update data_keys set master_key_id = rewrapped.master_key_id, wrapped = rewrapped.wrapped
    from unnest(${keys.map(({ from }) => from.namespaceId)}::uuid[], ${keys.map(({ from }) => from.id)}::int[],
      ${keys.map(({ from }) => from.wrapped)}::bytea[], ${keys.map(({ to }) => to.masterKeyId)}::text[],
      ${keys.map(({ to }) => to.wrapped)}::bytea[]) as rewrapped (namespace_id, id, former, master_key_id, wrapped)
    where data_keys.namespace_id = rewrapped.namespace_id and data_keys.id = rewrapped.id
      and data_keys.wrapped = former`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

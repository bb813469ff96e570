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
      // Along data_keys_master, from one master key to the next: there may be millions of rows.
      const { rows } = await sql<WrappedKey>`
        with recursive samples as (
          (select * from data_keys order by master_key_id limit 1)
          union all
          select next.* from samples cross join lateral (
            select * from data_keys where master_key_id > samples.master_key_id order by master_key_id limit 1
          ) as next
        )
        select * from samples order by master_key_id`.execute(db)
      return rows
    },
    async countNeeding(masterKeyId, most) {
      const { rows } = await sql<{ keys: number; tokens: number }>`
        with keys as materialized (select namespace_id from data_keys where master_key_id = ${masterKeyId} limit ${most})
        select (select count(*)::int from keys) as keys, (select count(*)::int from (
          select from (select distinct namespace_id as of_namespace from keys) as namespaces
          cross join lateral (select from tokens where namespace_id = of_namespace) as needing limit ${most}
        ) as counted) as tokens`.execute(db)
      return rows[0] ?? { keys: 0, tokens: 0 }
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

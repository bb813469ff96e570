import { sql } from 'kysely'
import type { DataKeyStore, WrappedKey } from '../domain/keyring.ts'
import type { Db } from './database.ts'
import { guardStorage } from './storage-faults.ts'

/** Wrapped data keys in Postgres, by their primary key. */
export function createDataKeyStore(db: Db): DataKeyStore {
  return guardStorage<DataKeyStore>({
    listKeys: (namespaceId) =>
      db.selectFrom('dataKeys').selectAll().where('namespaceId', '=', namespaceId).orderBy('id').execute(),
    async addKey(key) {
      await db
        .insertInto('dataKeys')
        .values(key)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },
    async sampleKeys() {
      const { rows } = await sql<WrappedKey & { count: number }>`
        select distinct on (master_key_id) *, count(*) over (partition by master_key_id)::int as count
        from data_keys order by master_key_id, namespace_id, id`.execute(db)
      return rows.map(({ count, ...sample }) => ({ masterKeyId: sample.masterKeyId, count, sample }))
    },
  })
}

import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { ApiKey, ApiKeyStore } from '../domain/api-key.ts'
import { unauthorized } from '../domain/errors.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordEvents } from './record-events.ts'
import type { Schema } from './schema.ts'
import { guardStorage } from './storage-faults.ts'

/** API keys in Postgres. */
export function createApiKeyStore(db: Db): ApiKeyStore {
  return guardStorage<ApiKeyStore>({
    async now() {
      const { now } = await db.selectNoFrom(sql<Date>`now()`.as('now')).executeTakeFirstOrThrow()
      return now
    },
    /** Along api_keys_id. */
    async find(id) {
      const row = await db
        .selectFrom('apiKeys')
        .selectAll()
        .select(sql<Date>`now()`.as('now'))
        .where('id', '=', id)
        .executeTakeFirst()
      return row === undefined ? null : { apiKey: toApiKey(row), digest: row.digest, now: row.now }
    },
    async list(namespaceId) {
      const keys = db.selectFrom('apiKeys').selectAll().where('namespaceId', '=', namespaceId)
      return (await keys.orderBy('createdAt').orderBy('id').execute()).map(toApiKey)
    },
    add: (key, digest, event) =>
      db.transaction().execute(async (trx) => {
        if (!(await holdNamespace(trx, key.namespaceId))) throw unauthorized()
        const row = await trx
          .insertInto('apiKeys')
          .values({ ...key, digest })
          .returningAll()
          .executeTakeFirstOrThrow()
        await recordEvents(trx, { namespaceId: key.namespaceId, id: null }, [event])
        return toApiKey(row)
      }),
    remove: (namespaceId, id, event) =>
      db.transaction().execute(async (trx) => {
        const { numDeletedRows } = await trx
          .deleteFrom('apiKeys')
          .where('namespaceId', '=', namespaceId)
          .where('id', '=', id)
          .executeTakeFirst()
        if (numDeletedRows === 0n) return false
        await recordEvents(trx, { namespaceId, id: null }, [event])
        return true
      }),
    async touch(namespaceId, id) {
      await db
        .updateTable('apiKeys')
        .set({ lastUsedAt: sql`now()` })
        .where('namespaceId', '=', namespaceId)
        .where('id', '=', id)
        .where((where) =>
          where.or([
            where('lastUsedAt', 'is', null),
            sql<boolean>`last_used_at < now() - interval '1 minute'`,
          ]),
        )
        .execute()
    },
  })
}

function toApiKey(row: Selectable<Schema['apiKeys']>): ApiKey {
  const { namespaceId, id, name, scopes, createdAt, expiresAt, lastUsedAt } = row
  return { namespaceId, id, name, scopes, createdAt, expiresAt, lastUsedAt }
}

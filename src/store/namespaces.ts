import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from './database.ts'

/** That of the bootstrap key: each start makes it where it is missing. */
export const DEFAULT_NAMESPACE = 'default'

export interface Namespace {
  id: string
  name: string
  createdAt: Date
}

/** The namespace of this name; null where there is none. */
export async function findNamespace(db: Db, name: string): Promise<Namespace | null> {
  const found = await db.selectFrom('namespaces').selectAll().where('name', '=', name).executeTakeFirst()
  return found ?? null
}

export function listNamespaces(db: Db): Promise<Namespace[]> {
  return db.selectFrom('namespaces').selectAll().orderBy('name').execute()
}

/** Resolves with its id; with null where the name is taken. */
export async function createNamespace(db: Db, name: string): Promise<string | null> {
  const id = uuidv7()
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('namespaces')
    .values({ id, name })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n ? id : null
}

/** The id of the namespace of this name, made where there is none. */
export async function ensureNamespace(db: Db, name: string): Promise<string> {
  await createNamespace(db, name)
  const { id } = await db
    .selectFrom('namespaces')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return id
}

/** Until the end of the transaction the namespace cannot be deleted. False where it has been. */
export async function holdNamespace(trx: Db, id: string): Promise<boolean> {
  const { rows } = await sql`select id from namespaces where id = ${id} for key share`.execute(trx)
  return rows.length > 0
}

/**
 * With its data keys, which nothing that was sealed under them opens without, its API keys, tokens and events. Of these
 * tokens and events do not refer to it; all else goes with it, or with its tokens.
 */
export async function deleteNamespace(db: Db, id: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    // Waits for the saves that hold it, and lets none add a token after the tokens are gone.
    await trx.selectFrom('namespaces').select('id').where('id', '=', id).forUpdate().execute()
    await trx.deleteFrom('tokens').where('namespaceId', '=', id).execute()
    await trx.deleteFrom('events').where('namespaceId', '=', id).execute()
    await trx.deleteFrom('namespaces').where('id', '=', id).execute()
  })
}

import { v7 as uuidv7 } from 'uuid'
import type { Db } from './database.ts'

/** The id of the namespace of this name, made where there is none. */
export async function ensureNamespace(db: Db, name: string): Promise<string> {
  await db
    .insertInto('namespaces')
    .values({ id: uuidv7(), name })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const { id } = await db
    .selectFrom('namespaces')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return id
}

import type { Event } from '../domain/event.ts'
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { uuidV7 } from './uuid-v7.ts'

/** Where something happened: to a token, or to its namespace. */
interface Scene {
  namespaceId: string
  id: string | null
}

/** Writes what happened beside the change itself: call it in the change's transaction. */
export async function recordEvents(db: Db, { namespaceId, id }: Scene, events: Event[]): Promise<void> {
  if (events.length === 0) return
  await db
    .insertInto('events')
    .values(
      events.map(({ type, actor, facts }) => ({
        namespaceId,
        id: uuidV7,
        tokenId: id,
        type,
        at: sql<Date>`clock_timestamp()`,
        actor,
        facts: JSON.stringify(facts ?? {}),
      })),
    )
    .execute()
}

/** Writes what happened without a change beside it; where the namespace is gone, nothing is left behind in it. */
export async function recordAlone(db: Db, scene: Scene, event: Event): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (await holdNamespace(trx, scene.namespaceId)) await recordEvents(trx, scene, [event])
  })
}

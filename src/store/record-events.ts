import type { Event } from '../domain/event.ts'
import type { Db } from './database.ts'
import { sql } from 'kysely'
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

import type { Event } from '../domain/event.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import { sql } from 'kysely'
import { uuidV7 } from './uuid-v7.ts'

/** Writes what happened to a token beside the change itself: call it in the change's transaction. */
export async function recordEvents(db: Db, token: TokenRef, events: Event[]): Promise<void> {
  if (events.length === 0) return
  await db
    .insertInto('events')
    .values(
      events.map(({ type, actor, facts }) => ({
        namespaceId: token.namespaceId,
        id: uuidV7,
        tokenId: token.id,
        type,
        at: sql<Date>`clock_timestamp()`,
        actor,
        facts: JSON.stringify(facts ?? {}),
      })),
    )
    .execute()
}

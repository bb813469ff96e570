import type { Event } from '../domain/event.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { UUID_V7 } from './uuid-v7.ts'

/** Where something happened: to a token, or to its namespace. */
interface Scene {
  namespaceId: string
  id: string | null
}

const RECORD = `/* record_events */
  insert into events (namespace_id, id, token_id, type, at, actor, facts)
  select of_namespace, ${UUID_V7}, of_token, type, clock_timestamp(), actor, facts
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
    as told (of_namespace, of_token, type, actor, facts)`

/** Writes what happened beside the change itself: call it in the change's transaction. */
export function recordEvents(db: Db, scene: Scene, events: readonly Event[]): Promise<void> {
  return recordAll(db, [{ scene, events }])
}

/** The same of many scenes. */
export async function recordAll(
  db: Db,
  stories: readonly { scene: Scene; events: readonly Event[] }[],
): Promise<void> {
  const told = stories.flatMap(({ scene, events }) => events.map((event) => ({ scene, event })))
  if (told.length === 0) return
  await runPrepared(db, RECORD, [
    told.map(({ scene }) => scene.namespaceId),
    told.map(({ scene }) => scene.id),
    told.map(({ event }) => event.type),
    told.map(({ event }) => event.actor),
    told.map(({ event }) => JSON.stringify(event.facts ?? {})),
  ])
}

/** Writes what happened without a change beside it; where the namespace is gone, nothing is left behind in it. */
export async function recordAlone(db: Db, scene: Scene, event: Event): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (await holdNamespace(trx, scene.namespaceId)) await recordEvents(trx, scene, [event])
  })
}

import { NIL } from 'uuid'
import type { Event } from '../domain/event.ts'
import type { EventStore } from '../domain/event-store.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { guardStorage } from './storage-faults.ts'
import { uuidV7Floor } from './uuid-v7.ts'

const SWEPT_AT_ONCE = 100

/** Along the primary keys. Those that another replica is deleting at the moment are left to it. */
const SWEEP = `/* sweep_events */
  with outdated as (
    select found.* from namespaces cross join lateral (
      select namespace_id, id from events
      where namespace_id = namespaces.id and id < ${uuidV7Floor("now() - $1 * interval '1 day'")}
      order by id limit ${SWEPT_AT_ONCE} for update skip locked
    ) as found
    where namespaces.id >= $2 order by namespaces.id limit ${SWEPT_AT_ONCE}
  )
  delete from events using outdated
  where events.namespace_id = outdated.namespace_id and events.id = outdated.id
  returning events.namespace_id as "namespaceId"`

/** Events in Postgres: their ids are UUIDv7 and grow with the time. */
export function createEventStore(db: Db): EventStore {
  return guardStorage<EventStore>({
    /** Backwards along the primary key, or along events_token where a token is named. */
    async list(namespaceId, { tokenId, withoutKeys, limit, before }) {
      let query = db.selectFrom('events').selectAll().where('namespaceId', '=', namespaceId)
      if (tokenId !== null) query = query.where('tokenId', '=', tokenId)
      if (withoutKeys) query = query.where('type', 'not like', 'key.%')
      if (before !== null) query = query.where('id', '<', before)
      const rows = await query.orderBy('id', 'desc').limit(limit).execute()
      return rows.map(({ id, type, at, actor, tokenId: of, facts }) => ({
        id,
        type: type as Event['type'],
        at,
        actor,
        tokenId: of,
        facts: facts as Required<Event>['facts'],
      }))
    },
    async sweep(days, from) {
      const deleted = await runPrepared<{ namespaceId: string }>(db, SWEEP, [days, from ?? NIL])
      const reached = deleted.map(({ namespaceId }) => namespaceId).sort()
      const isAll = deleted.length < SWEPT_AT_ONCE
      return { deleted: deleted.length, next: isAll ? null : (reached.at(-1) ?? null) }
    },
  })
}

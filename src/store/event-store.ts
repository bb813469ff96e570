import type { Event } from '../domain/event.ts'
import type { EventStore } from '../domain/event-store.ts'
import type { Db } from './database.ts'
import { guardStorage } from './storage-faults.ts'

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
  })
}

import type { Event } from './event.ts'

/** An event as it is kept. */
export interface RecordedEvent extends Required<Pick<Event, 'type' | 'actor' | 'facts'>> {
  id: string
  at: Date
  /** Null where it happened to no token. */
  tokenId: string | null
}

interface EventPage {
  /** Of this token, also after it was deleted; null: of all. */
  tokenId: string | null
  /** Leaves out what happened to API keys. */
  withoutKeys: boolean
  limit: number
  /** The id of the event before which, in time, the page begins. */
  before: string | null
}

/** What happened in a namespace. Rejects with `storage_unavailable` while the storage cannot be reached. */
export interface EventStore {
  /** Newest first. */
  list(namespaceId: string, page: EventPage): Promise<RecordedEvent[]>
  /** Deletes some of the events that are older than so many days, from the namespace of this id on, null: from the first. */
  sweep(days: number, from: string | null): Promise<Swept>
}

interface Swept {
  deleted: number
  /** The id of the namespace at which to go on; null where nothing is left, but for what another replica is deleting. */
  next: string | null
}

import { afterAll, beforeAll, beforeEach } from 'vitest'
import { NOON } from './domain.ts'
import type { Row } from './memory-store/memory.ts'
import { createMemory, later, put } from './memory-store/memory.ts'
import { createMemoryTokenStore } from './memory-store/memory-token-store.ts'
import type { Replica, TokenStorage } from './token-storage.ts'
import { openStorage, replicaOf } from './token-storage.ts'

const NAMESPACE = 'namespace'

/** Every implementation of the port, to be held to one contract. */
export const STORAGES: [name: string, open: () => Promise<TokenStorage>][] = [
  ['Postgres', openStorage],
  ['the memory', () => Promise.resolve(openMemoryStorage())],
]

/** A storage for the tests of a `describe`, with one replica on it; empty before each of them. */
export function useStorage<Storage extends TokenStorage>(
  open: () => Promise<Storage>,
): { storage: Storage; replica: Replica } {
  const used = {} as { storage: Storage; replica: Replica }
  beforeAll(async () => {
    used.storage = await open()
    used.replica = await used.storage.replica()
  })
  afterAll(() => used.storage.close())
  beforeEach(() => used.storage.clear())
  return used
}

function openMemoryStorage(): TokenStorage {
  let reads = 0
  // As in a database, no two statements happen at the same moment.
  const memory = createMemory(() => new Date(NOON.getTime() + (reads += 1)))
  const ofToken = (id: string) => memory.events.filter((event) => event.tokenId === id)
  return {
    namespaceId: NAMESPACE,
    replica: (owner = 'replica') =>
      Promise.resolve(replicaOf(createMemoryTokenStore(memory, owner), NAMESPACE)),
    age(id, seconds) {
      const row = memory.rows.get(`${NAMESPACE}/${id}`)
      if (row !== undefined) put(memory, aged(row, -seconds))
      return Promise.resolve()
    },
    events: (id) => Promise.resolve(ofToken(id).map(({ type }) => type)),
    factsOf: (id, type) => Promise.resolve(ofToken(id).findLast((event) => event.type === type)?.facts),
    clear() {
      for (const held of [memory.rows, memory.clients]) held.clear()
      memory.events.length = 0
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}

function aged(row: Row, seconds: number): Row {
  const moved = (at: Date | null) => at && later(at, seconds)
  const { refreshDueAt, retryAt, leaseUntil, lostAt, refreshedAt, expiresAt, renewals } = row.token
  return {
    ...row,
    claimedAt: moved(row.claimedAt),
    token: {
      ...row.token,
      refreshDueAt: moved(refreshDueAt),
      retryAt: moved(retryAt),
      leaseUntil: moved(leaseUntil),
      lostAt: moved(lostAt),
      refreshedAt: moved(refreshedAt),
      expiresAt: moved(expiresAt),
      renewals: renewals.map((at) => later(at, seconds)),
    },
  }
}

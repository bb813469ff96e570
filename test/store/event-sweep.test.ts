import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { EventStore } from '../../src/domain/event-store.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { createEventStore } from '../../src/store/event-store.ts'
import { createNamespace } from '../../src/store/namespaces.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'

const DAY_MS = 86_400_000
const DAYS = 90
/** More than are deleted at once, in each. */
const OLD = 250
const YOUNG = 150

let database: TestDatabase
let opened: Database
let events: EventStore
let namespaces: string[]

beforeAll(async () => {
  database = await createTestDatabase()
  opened = createDatabase({ urls: [database.url], size: 4, name: 'test', onLost: () => undefined })
  events = createEventStore(opened.db)
  for (const name of ['one', 'other', 'last']) await createNamespace(opened.db, name)
  const rows = await database.query<{ id: string }>('select id from namespaces')
  namespaces = rows.map(({ id }) => id)
})
afterAll(async () => {
  await opened.close()
  await database.drop()
})
beforeEach(async () => {
  await database.query('delete from events')
  for (const namespaceId of namespaces) {
    await happened(namespaceId, OLD, DAYS * DAY_MS + 60_000)
    await happened(namespaceId, YOUNG, DAYS * DAY_MS - 60_000)
  }
})

/** So many events, each a little older than the one before, the first of this age. */
async function happened(namespaceId: string, count: number, ageMs: number): Promise<void> {
  const direction = ageMs > DAYS * DAY_MS ? 1 : -1
  const ages = Array.from({ length: count }, (_, index) => ageMs + direction * index * 1000)
  await database.query(
    `insert into events (namespace_id, id, type, at, actor)
      select $1, id, 'token.created', at, 'test' from unnest($2::uuid[], $3::timestamptz[]) as told (id, at)`,
    [
      namespaceId,
      ages.map((age) => uuidv7({ msecs: Date.now() - age })),
      ages.map((age) => new Date(Date.now() - age)),
    ],
  )
}

async function sweepFrom(from: string | null): Promise<number> {
  const { deleted, next } = await events.sweep(DAYS, from)
  return next === null ? deleted : deleted + (await sweepFrom(next))
}

const left = () =>
  database.query(
    `select namespace_id, count(*)::int, (min(at) > now() - $1 * interval '1 day') as young
      from events group by namespace_id order by namespace_id`,
    [DAYS],
  )
const onlyTheYoung = () =>
  namespaces.toSorted().map((namespace_id) => ({ namespace_id, count: YOUNG, young: true }))

test('events that are too old are deleted, in whichever namespace, and no younger one is', async () => {
  expect(await sweepFrom(null)).toBe(namespaces.length * OLD)
  expect(await left()).toEqual(onlyTheYoung())
  expect(await sweepFrom(null)).toBe(0)
})

test('replicas that sweep at once delete each event once, and none waits for the other', async () => {
  const deleted = await Promise.all(Array.from({ length: 4 }, () => sweepFrom(null)))
  expect(deleted.reduce((sum, count) => sum + count, 0)).toBe(namespaces.length * OLD)
  expect(await left()).toEqual(onlyTheYoung())
})

test('a sweep goes on in the namespace where it has stopped', async () => {
  const [first, second] = namespaces.toSorted()
  const swept = await events.sweep(DAYS, null)
  expect(swept).toEqual({ deleted: 100, next: first })
  expect(await events.sweep(DAYS, first ?? '')).toEqual({ deleted: 100, next: first })
  expect(await events.sweep(DAYS, first ?? '')).toEqual({ deleted: 100, next: second })
})

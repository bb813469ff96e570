import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { startVault } from '../support/vault.ts'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

test('a replica stays ready while the migrations of a later version are run, and not without one of its own', async () => {
  const vault = await startVault({ databaseUrl: database.url })
  const ready = async () => (await vault.call('GET', '/readyz')).status
  await database.query(`insert into kysely_migration values ('9999_later', now()::text)`)
  expect(await ready()).toBe(200)
  await database.query(`delete from kysely_migration where name < '0002'`)
  await expect.poll(ready, { timeout: 10_000 }).toBe(503)
  await vault.close()
})

describe('a migration whose lock somebody holds', () => {
  let pool: Database
  let holder: pg.Client

  beforeEach(async () => {
    const urls = [database.url]
    pool = createDatabase({ urls, size: 1, name: 'test', patient: true, onLost: () => undefined })
    holder = new pg.Client({ connectionString: database.url, application_name: 'pg_dump' })
    await holder.connect()
    await database.query(`delete from kysely_migration where name > '0009'; alter table spent_renewals
      drop column lease_until, drop column lease_owner, drop column claimed_at, drop column lost_at,
      drop column retry_at; alter table exchanges drop column token_id; drop index data_keys_master`)
    await holder.query('begin; lock table spent_renewals in share update exclusive mode')
  })
  afterEach(async () => {
    await holder.end()
    await pool.close()
  })

  const isWaiting = async () =>
    (
      await database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
    ).length > 0

  test('lets go of its place in the queue, and tries again', async () => {
    const migrated = migrate(pool.db)
    await expect.poll(isWaiting, { timeout: 10_000 }).toBe(true)
    await expect.poll(isWaiting, { timeout: 10_000 }).toBe(false)
    await holder.query('rollback')
    expect((await migrated).map((name) => name.slice(0, 4))).toEqual(['0009', '0010', '0011'])
  })

  test('says in the end who holds it, and to run it again', async () => {
    await expect(migrate(pool.db)).rejects.toThrow(
      /^DATABASE_URL: nothing was migrated, since process \d+ \(pg_dump\) holds a lock .*: let it end, and run this again$/,
    )
  })
})

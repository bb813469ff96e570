import { afterEach, beforeEach, expect, test } from 'vitest'
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

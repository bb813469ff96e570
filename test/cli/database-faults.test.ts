import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { endAll, tokenVault } from './command-line.ts'

const TOKEN_VAULT_MASTER_KEYS = generateMasterKey('k1')

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await endAll()
  await database.drop()
})

/** What a command that fails says on standard error. */
async function faultOf(args: string[], url = database.url): Promise<string> {
  const command = tokenVault(args, { PORT: '0', DATABASE_URL: url, TOKEN_VAULT_MASTER_KEYS })
  expect(await command.ended).toBe(1)
  return command.stderr()
}

test('a right that the role lacks is named, with the grant that gives it', async () => {
  const role = new URL(database.url).pathname.slice(1)
  await database.query(`create role ${role} login password 'app'`)
  const url = Object.assign(new URL(database.url), { username: role, password: 'app' }).href
  expect(await faultOf(['serve'], url)).toBe(
    'DATABASE_URL: permission denied for table kysely_migration (42501): ' +
      'grant select, insert, update, delete on all tables in schema public to its role\n',
  )
  await database.query(`grant select, insert, update, delete on all tables in schema public to ${role}`)
  await database.query(`delete from kysely_migration where name > '0007'`)
  expect(await faultOf(['migrate'], url)).toMatch(
    /^DATABASE_URL: must be owner of table \w+ \(42501\): run it as the role that owns the tables, .*\n$/,
  )
  await database.query('drop table kysely_migration')
  expect(await faultOf(['migrate'], url)).toBe(
    'DATABASE_URL: permission denied for schema public (42501): grant usage, and to migrate create, on schema public to its role\n',
  )
  await database.query(`drop owned by ${role}`)
  await database.query(`drop role ${role}`)
})

test('a Postgres that goes away in the middle of a command asks for it to be run again', async () => {
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  await holder.query('begin; lock table kysely_migration')
  const fault = faultOf(['migrate'])
  const endWaiting = () =>
    database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    )
  await expect.poll(endWaiting, { timeout: 30_000 }).toHaveLength(1)
  await holder.end()
  expect(await fault).toBe(
    'DATABASE_URL: Postgres failed in the middle (57P01: it ended the connection): run it again\n',
  )
})

test('a command waits for a lock for no longer than the service', async () => {
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  await holder.query('begin; lock table namespaces')
  expect(await faultOf(['namespaces', 'list'])).toBe(
    'DATABASE_URL: Postgres failed in the middle (55P03: somebody holds a lock): run it again\n',
  )
  await holder.end()
})

import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase } from '../../src/store/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

let target: TestDatabase
let proxy: TcpProxy
const lost: Error[] = []
const open = (urls: string[]) =>
  createDatabase({ urls, size: 1, name: 'test', onLost: (error) => lost.push(error) })

beforeEach(async () => {
  lost.length = 0
  target = await createTestDatabase()
  proxy = await TcpProxy.start(target.url)
})
afterEach(async () => {
  await proxy.close()
  await target.drop()
})

/** What each new session of the target is asked first answers by this from here on. */
async function prepareBy(body: string): Promise<void> {
  const name = new URL(target.url).pathname.slice(1)
  await target.query('create schema ours')
  await target.query(`create function ours.pg_is_in_recovery() returns boolean language sql as '${body}'`)
  await target.query(`alter database ${name} set search_path = ours, public, pg_catalog`)
}

test('a connection that is prepared only when who waited for it has given up serves the next one', async () => {
  await prepareBy('select pg_advisory_xact_lock(1); select false')
  const database = open([proxy.url])
  const gate = new pg.Client({ connectionString: target.url })
  await gate.connect()
  const held = Promise.withResolvers<undefined>()
  const holding = database.db.connection().execute(async (connection) => {
    await sql`select 1`.execute(connection)
    held.resolve(undefined)
    // Preparing has less time than a turn in the queue: it must begin later, and both limits are seconds away then.
    await sleep(5_000)
    proxy.cut()
    await sql`select 1`.execute(connection)
  })
  await held.promise
  await gate.query('select pg_advisory_lock(1)')
  await Promise.all([
    expect(holding).rejects.toThrow('Connection terminated'),
    expect(database.ping()).rejects.toThrow('timeout exceeded when trying to connect'),
  ])
  await gate.end()
  await database.ping()
  await database.close()
})

test('a standby passes the turn on, and is no connection that was lost', async () => {
  await prepareBy('select true')
  const writable = await createTestDatabase()
  const database = open([proxy.url, writable.url])
  await expect(database.ping()).rejects.toThrow('takes no writes')
  await database.ping()
  await database.close()
  await writable.drop()
  expect(lost).toEqual([])
})

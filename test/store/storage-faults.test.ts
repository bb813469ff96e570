import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { VaultError } from '../../src/domain/errors.ts'
import { createDatabase } from '../../src/store/database.ts'
import { guardStorage, sqlState } from '../../src/store/storage-faults.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const systemError = (code: string) => Object.assign(new Error(`write ${code}`), { code })

function postgresError(code: string): Error {
  return Object.assign(new pg.DatabaseError('in words that nobody may see', 0, 'error'), { code })
}

const guarded = (error: Error) => guardStorage({ read: () => Promise.reject(error) }).read()

describe('an error of the storage', () => {
  test.each([
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'].map(systemError),
    ...['08006', '53300', '57P01', '57P03', '57014', '25006', '40001', '40P01', '55P03'].map(postgresError),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout expired'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Client has encountered a connection error and is not queryable'),
  ])('that passes is storage_unavailable, and keeps its cause to itself: %s', async (error) => {
    const told = await guarded(error).catch((thrown: unknown) => thrown)
    expect(told).toBeInstanceOf(VaultError)
    expect(told).toMatchObject({ code: 'storage_unavailable', facts: { retryAfterSeconds: 2 }, cause: error })
    expect((told as Error).message).not.toContain(error.message)
  })

  test.each([postgresError('23505'), postgresError('42601'), new TypeError('x is undefined')])(
    'of ours stays what it is: %s',
    async (error) => {
      await expect(guarded(error)).rejects.toBe(error)
    },
  )

  test('has a SQLSTATE only where Postgres gave one', () => {
    expect(sqlState(postgresError('23505'))).toBe('23505')
    expect(sqlState(systemError('EPIPE'))).toBeNull()
  })
})

describe('connections', () => {
  let target: TestDatabase
  let proxy: TcpProxy
  const lost: Error[] = []
  const open = (urls: string[]) =>
    createDatabase({ urls, size: 2, name: 'test', onLost: (error) => lost.push(error) })

  beforeEach(async () => {
    target = await createTestDatabase()
    proxy = await TcpProxy.start(target.url)
  })
  afterEach(async () => {
    await proxy.close()
    await target.drop()
  })

  test('go to the next host where one cannot be reached', async () => {
    const database = open(['postgres://127.0.0.1:1/nothing', proxy.url])
    const ping = () => database.ping().then(() => 'reached', String)
    await expect.poll(ping, { timeout: 10_000 }).toBe('reached')
    await database.close()
  })

  test('that are cut while nobody uses them are told of, and end nothing', async () => {
    const database = open([proxy.url])
    await database.ping()
    lost.length = 0
    proxy.cut()
    await expect.poll(() => lost.length).toBeGreaterThan(0)
    await sleep(0)
    await database.ping()
    await database.close()
  })

  test('wait for no statement and no lock for ever', async () => {
    const database = open([proxy.url])
    const limits = await sql<{ name: string; setting: string }>`select name, setting from pg_settings
      where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name`.execute(
      database.db,
    )
    expect(limits.rows.map(({ setting }) => setting)).toEqual(['3000', '2000', '5000'])
    await database.close()
  })
})

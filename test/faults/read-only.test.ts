import { expect, test } from 'vitest'
import { createDatabase } from '../../src/store/database.ts'
import { isPassing } from '../../src/store/storage-faults.ts'
import { useVault } from '../support/vault.ts'

const { database, vault } = useVault()
const soon = { timeout: 20_000 }

/** As a managed Postgres does when its disk is full: for all sessions from here on. */
async function alterDatabase(change: string): Promise<void> {
  const name = new URL(database.url).pathname.slice(1)
  await database.query(`alter database ${name} ${change}`)
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'token-vault%'`,
  )
}
const makeReadOnly = () => alterDatabase('set default_transaction_read_only = on')
const makeWritable = () => alterDatabase('set default_transaction_read_only = off')
const ready = async () => (await vault.call('GET', '/readyz')).status
const save = async () => (await vault.save({ id: 't-1', access_token: 'access', expires_in: 3600 })).status

test('over a Postgres that takes no writes a replica is not ready, while finds go on, until it takes them again', async () => {
  expect(await save()).toBe(201)
  expect(await ready()).toBe(200)
  await makeReadOnly()
  await expect.poll(ready, soon).toBe(503)
  await expect.poll(async () => (await vault.find({ id: 't-1' })).body.access_token, soon).toBe('access')
  expect(await save()).toBe(503)
  const urls = [database.url]
  const opened = createDatabase({ urls, size: 1, name: 'test', onLost: () => undefined })
  const fault = await opened.ping().catch((error: unknown) => error)
  await opened.close()
  expect(isPassing(fault)).toBe(true)
  await makeWritable()
  await expect.poll(ready, soon).toBe(200)
})

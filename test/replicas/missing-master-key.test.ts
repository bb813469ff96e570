import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { parseMasterKeys } from '../../src/config/formats.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { generateApiKey } from '../../src/domain/api-key.ts'
import { rotateKeys } from '../../src/commands/rotate-keys.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import { makeNamespace } from '../support/namespaces.ts'
import type { TestVault, TestVaultOptions } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

const [K1, K2] = [generateMasterKey('k1'), generateMasterKey('k2')]
const TOKEN_VAULT_BOOTSTRAP_KEY = generateApiKey('bootstrap')

let database: TestDatabase
let pool: Database
let vaults: TestVault[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createDatabase({ urls: [database.url], size: 2, name: 'test', onLost: () => undefined })
  vaults = []
})
afterEach(async () => {
  await Promise.all(vaults.map((vault) => vault.close()))
  await pool.close()
  await database.drop()
})

/** A replica that reads its data keys anew for each request, as any does after a minute. */
async function replica(masterKeys: string, more: Partial<TestVaultOptions> = {}): Promise<TestVault> {
  const env = {
    TOKEN_VAULT_MASTER_KEYS: masterKeys,
    TOKEN_VAULT_BOOTSTRAP_KEY,
    TOKEN_VAULT_REFRESHER: 'off',
    ...more.env,
  }
  const vault = await startVault({ databaseUrl: database.url, keyCacheMs: 0, ...more, env })
  vaults.push(vault)
  return vault
}

const moveTo = (masterKeys: string) =>
  rotateKeys(
    pool.db,
    parseMasterKeys(masterKeys) ?? [],
    { write: () => true },
    { dataKeys: false, record: () => Promise.resolve() },
  )

const linesOf = (vault: TestVault) =>
  vault
    .log()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { msg: string; master_key_id?: string; faults?: string[] })

async function callsOf(vault: TestVault) {
  return Promise.all([
    vault.find({ user_name: 'ann' }),
    vault.call('GET', '/v1/tokens/t-1'),
    vault.call('GET', '/v1/tokens?include=secrets'),
    vault.save({ id: 't-1', access_token: 'access-2' }),
    vault.call('GET', '/v1/tokens/t-1/access-token'),
  ])
}

test('a replica that was not given the new master key says so, and recovers when the keys are moved back', async () => {
  const behind = await replica(K1)
  const ahead = await replica(`${K2},${K1}`)
  await behind.save({ id: 't-1', user_name: 'ann', access_token: 'access-1', expires_in: 3600 })
  await moveTo(`${K2},${K1}`)

  for (const { status, headers, body, text } of await callsOf(behind)) {
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'storage_unavailable', '2'])
    expect(text).not.toMatch(/k2|access-1/)
  }
  const told = linesOf(behind).filter(({ master_key_id }) => master_key_id === 'k2')
  expect(told.map(({ msg }) => msg)).toEqual([
    'TOKEN_VAULT_MASTER_KEYS: key "k2" is missing: add it to the list',
  ])

  expect((await behind.call('GET', '/readyz')).status).toBe(503)
  expect(linesOf(behind).find(({ msg }) => msg === 'not ready')?.faults).toEqual([
    'TOKEN_VAULT_MASTER_KEYS: key "k2" is missing, 2 stored data keys, and 1 token with them, need it: add it to the list',
  ])
  expect((await ahead.call('GET', '/readyz')).status).toBe(200)
  expect((await ahead.find({ user_name: 'ann' })).body.access_token).toBe('access-1')

  await moveTo(`${K1},${K2}`)
  expect((await behind.call('GET', '/readyz')).status).toBe(200)
  expect((await callsOf(behind)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
})

test('a replica that was given another key of that name says so', async () => {
  const behind = await replica(`${K1},${generateMasterKey('k2')}`)
  await behind.save({ id: 't-1', access_token: 'access-1', expires_in: 3600 })
  await moveTo(`${K2},${K1}`)
  const { status, body } = await behind.call('GET', '/v1/tokens/t-1')
  expect([status, body.code]).toEqual([503, 'storage_unavailable'])
  expect(linesOf(behind).find(({ master_key_id }) => master_key_id === 'k2')?.msg).toMatch(
    /^TOKEN_VAULT_MASTER_KEYS: key "k2" is not the one that wrapped data key \d of namespace \S+: give the original key$/,
  )
  expect((await behind.call('GET', '/readyz')).status).toBe(503)
})

test('a refresher without the new master key gives back what it has claimed, once, and goes on with the rest', async () => {
  const zoho = await FakeZoho.start()
  onTestFinished(() => zoho.close())
  const limit = { count: 10, window: 600 }
  const providers = { providers: [{ name: 'acme', token_url: `${zoho.url}/oauth/v2/token`, limit }] }
  const behind = await replica(K1, { providers, env: { TOKEN_VAULT_REFRESHER: 'on' } })
  const ahead = await replica(`${K2},${K1}`, { providers })
  await moveTo(`${K2},${K1}`)
  const other = await makeNamespace(database.url, 'other', [['tokens:write']])
  const headers = { authorization: `Bearer ${other.keys[0]?.key ?? ''}` }
  const due = () => ({
    provider: 'acme',
    client_id: zoho.client.id,
    client_secret: zoho.client.secret,
    refresh_token: zoho.refreshToken(),
    expires_in: 1,
  })
  await ahead.save({ id: 't-1', access_token: 'access-1', ...due() })
  await behind.save({ id: 't-2', access_token: 'access-2', ...due() }, headers)

  const typesOf = async (id: string) =>
    (
      await database.query<{ type: string }>(`select type from events where token_id = '${id}' order by id`)
    ).map(({ type }) => type)
  const given = ['token.created', 'renewal.claimed', 'renewal.failed']
  await expect.poll(() => typesOf('t-1'), { timeout: 5_000 }).toEqual(given)
  await expect.poll(() => typesOf('t-2'), { timeout: 5_000 }).toContain('renewal.succeeded')
  // Two more looks of its refresher.
  await sleep(1_200)
  expect(await typesOf('t-1')).toEqual(given)
  const [row] = await database.query<object>(
    `select lease_until, claimed_at, renewals from tokens where id = 't-1'`,
  )
  expect(row).toEqual({ lease_until: null, claimed_at: null, renewals: [] })
  expect((await ahead.call('GET', '/v1/tokens/t-1/access-token')).status).toBe(200)
  expect(zoho.count('refresh')).toBe(2)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'
import { endAll, tokenVault } from './command-line.ts'

const [K1, K2] = [generateMasterKey('k1'), generateMasterKey('k2')]
const IDS = Array.from({ length: 120 }, (_, index) => `t-${index}`)

let database: TestDatabase
let settings: VaultSettings[]
const running: VaultProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const one = await vaultSettings(database.url)
  const two = await vaultSettings(database.url, [], { TOKEN_VAULT_BOOTSTRAP_KEY: one.apiKey })
  settings = [one, two]
})
afterAll(async () => {
  await endAll()
  await Promise.all(running.map((vault) => vault.kill()))
  await Promise.all(settings.map((each) => each.drop()))
  await database.drop()
})

async function startAll(masterKeys: string): Promise<VaultProcess[]> {
  const vaults = settings.map(async (each) => {
    each.env['TOKEN_VAULT_MASTER_KEYS'] = masterKeys
    const vault = await startVaultProcess(each)
    running.push(vault)
    return vault
  })
  return Promise.all(vaults)
}

async function call(replica: number, method: string, path: string, body?: object) {
  const { url } = settings[replica % settings.length] ?? expect.fail()
  const headers = { authorization: `Bearer ${settings[0]?.apiKey ?? ''}`, 'content-type': 'application/json' }
  const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
  return { status: response.status, body: (await response.json()) as { access_token?: string } }
}

const secretOf = (id: string) => `access token of ${id}`

/** Reads every token on both replicas in turn; resolves with those that did not come back as they were saved. */
async function misread(): Promise<string[]> {
  const wrong: string[] = []
  for (const [index, id] of IDS.entries()) {
    const { status, body } = await call(index, 'GET', `/v1/tokens/${id}`)
    if (body.access_token !== secretOf(id)) wrong.push(`${id}: ${status}`)
  }
  return wrong
}

const command = (masterKeys: string, ...args: string[]) =>
  tokenVault(args, { DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS: masterKeys })

const dataKeys = () =>
  database.query<{ id: number; by: string }>('select id, master_key_id as by from data_keys order by id')

test('rotate-keys beside two replicas, killed and run again, after which the former master key can go', async () => {
  const before = await startAll(`${K1},${K2}`)
  for (const [index, id] of IDS.entries()) {
    const saved = await call(index, 'POST', '/v1/tokens', { id, access_token: secretOf(id) })
    expect(saved.status).toBe(201)
  }

  const moving = command(`${K2},${K1}`, 'rotate-keys')
  expect(await misread()).toEqual([])
  expect(await moving.ended).toBe(0)
  expect(moving.stderr()).toMatch(
    /"action":"keys.rotated","rotated":{"master_key":"k2","data_keys":2,"tokens":0,"left":0}/,
  )
  expect(moving.stdout()).toBe('Moved 2 data keys to master key "k2", 0 are left.\n')

  for (let run = 1; run <= 2; run += 1) {
    const sealing = command(`${K2},${K1}`, 'rotate-keys', '--data-keys')
    expect(await misread()).toEqual([])
    await sealing.says('Waiting ')
    expect(sealing.stdout()).toContain('Tokens: 100 % (120 of 120)')
    sealing.signal('SIGKILL')
    expect(await sealing.ended).toBe(null)
    // The second run goes on with the key that the first one made.
    expect(await dataKeys()).toEqual([1, 2, 3].map((id) => ({ id, by: 'k2' })))
  }
  const left = await database.query(
    `select from tokens where substring(access_token from 2 for 4) < '\\x00000003'`,
  )
  expect(left).toEqual([])
  expect(await misread()).toEqual([])

  for (const vault of before) expect(await vault.stop()).toBe(0)
  const refused = command(K1, 'serve')
  expect(await refused.ended).toBe(1)
  expect(refused.stderr()).toBe(
    'TOKEN_VAULT_MASTER_KEYS: key "k2" is missing, 3 stored data keys, and 120 tokens with them, need it: add it to the list\n',
  )
  await startAll(K2)
  expect(await misread()).toEqual([])
}, 240_000)

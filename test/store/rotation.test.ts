import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import { KEY_CACHE_MS } from '../../src/crypto/keyring.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import { RotationLoad } from '../support/rotation-load.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'

const PROGRAM = fileURLToPath(new URL('../support/rotation-process.ts', import.meta.url))
const FEW = 2_000
/** `npm run test:rotation` sets many. */
const TOKENS = Number(process.env['ROTATION_TOKENS'] ?? FEW)
/** Few tokens in small pages and a short cache; many as the command itself would move them. */
const times =
  TOKENS <= FEW
    ? { cacheMs: 1_000, waitMs: 4_000, pageSize: 20 }
    : { cacheMs: KEY_CACHE_MS, waitMs: KEY_CACHE_MS + 30_000, pageSize: 100 }
const KILLS = 10
const [K1, K2] = [generateMasterKey('k1'), generateMasterKey('k2')]
const PATIENCE_MS = 120_000 + TOKENS * 20

let database: TestDatabase
let zoho: FakeZoho
let settings: VaultSettings[]
let load: RotationLoad
const running: VaultProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  zoho = await FakeZoho.start({ rotates: true, lifetimeSeconds: 15 })
  const acme = { name: 'acme', token_url: `${zoho.url}/oauth/v2/token`, rotates: 'always', min_interval: 1 }
  const env = { LOG_LEVEL: 'error' }
  const first = await vaultSettings(database.url, [acme], env)
  const second = await vaultSettings(database.url, [acme], env)
  second.env['TOKEN_VAULT_BOOTSTRAP_KEY'] = first.apiKey
  settings = [first, second]
  load = new RotationLoad(TOKENS, zoho, first.apiKey)
})
afterAll(async () => {
  await load.stop()
  await Promise.all(running.map((vault) => vault.kill()))
  await Promise.all(settings.map((each) => each.drop()))
  await zoho.close()
  await database.drop()
})

async function start(each: VaultSettings, masterKeys: string): Promise<VaultProcess> {
  each.env['TOKEN_VAULT_MASTER_KEYS'] = masterKeys
  const vault = await startVaultProcess(each, [PROGRAM, 'serve', String(times.cacheMs)])
  running.push(vault)
  return vault
}

function rotate() {
  const child = spawn(process.execPath, [PROGRAM, 'rotate', String(times.waitMs), String(times.pageSize)], {
    env: { PATH: process.env['PATH'], ...settings[0]?.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, exited: once(child, 'exit'), output: () => output }
}

/** The first data key of the namespace is for look-ups, the second one sealed all that was filled in. */
const OLD = ['client_secret', 'refresh_token', 'grant_token', 'access_token']
  .map((column) => `coalesce(substring(${column} from 2 for 4) = '\\x00000002', false)`)
  .join(' or ')
const count = async (from: string) =>
  (await database.query<{ n: number }>(`select count(*)::int as n from ${from}`))[0]?.n ?? 0
const oldRows = () => count(`tokens where ${OLD}`)

/** Kills a rotation once it has brought the old rows down to so many. */
async function killAt(left: number): Promise<void> {
  const { child, exited } = rotate()
  while (child.exitCode === null && (await oldRows()) > left) await pause(20)
  child.kill('SIGKILL')
  expect(await exited).toEqual([null, 'SIGKILL'])
}

async function readBack(url: string): Promise<number> {
  const byId = new Map(load.tokens.map((token) => [token.id, token]))
  let cursor: string | undefined
  do {
    const query = new URLSearchParams({ include: 'secrets', limit: '1000', ...(cursor && { cursor }) })
    const headers = { authorization: `Bearer ${settings[0]?.apiKey ?? ''}` }
    const response = await fetch(`${url}/v1/tokens?${query.toString()}`, { headers })
    expect(response.status).toBe(200)
    const page = (await response.json()) as { tokens: Token[]; next_cursor?: string }
    for (const token of page.tokens) {
      const known = byId.get(token.id)
      byId.delete(token.id)
      if (known !== undefined) load.check(known, token)
    }
    cursor = page.next_cursor
  } while (cursor !== undefined)
  return byId.size
}

test(
  'a rotation under load, killed ten times, fails no request and leaves nothing on the old keys',
  { timeout: PATIENCE_MS },
  async () => {
    const [one, two] = settings as [VaultSettings, VaultSettings]
    const before = await start(one, K1)
    await load.fill(one.url)
    expect([await oldRows(), load.failures]).toEqual([TOKENS, []])
    await before.stop()

    const vaults = [await start(one, `${K2},${K1}`), await start(two, `${K2},${K1}`)]
    load.start([one.url, two.url])
    for (let kill = 1; kill <= KILLS; kill += 1) await killAt(TOKENS * (1 - kill / (KILLS + 1)))
    expect(await oldRows()).toBeGreaterThan(0)
    const { exited, output } = rotate()
    expect(await exited).toEqual([0, null])
    expect(output()).toMatch(/ tokens to new data keys, 0 are left\.\n.* to master key "k2", 0 are left\.\n$/)
    await load.stop()

    expect(load.failures).toEqual([])
    if (TOKENS > FEW) console.log(output(), load.done)
    expect(Math.min(...Object.values(load.done))).toBeGreaterThan(50)
    expect(await oldRows()).toBe(0)
    expect(await count(`data_keys where master_key_id <> 'k2'`)).toBe(0)
    expect(await count(`data_keys where purpose = 'seal'`)).toBe(2)
    expect(await count(`tokens where id like 'kept-%' and (version <> 1 or updated_at <> created_at)`)).toBe(
      0,
    )

    for (const vault of vaults) expect(await vault.stop()).toBe(0)
    await start(one, K2)
    expect(await readBack(one.url)).toBe(0)
    expect(load.failures).toEqual([])
  },
)

import { execFile } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { parseMasterKeys } from '../../src/config/formats.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { StartupError } from '../../src/domain/errors.ts'
import { serve } from '../../src/main.ts'
import { rotateKeys } from '../../src/commands/rotate-keys.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { createNamespace, deleteNamespace, findNamespace } from '../../src/store/namespaces.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const [K1, K2] = [generateMasterKey('k1'), generateMasterKey('k2')]

let database: TestDatabase
let pool: Database
let zoho: FakeZoho
let vaults: TestVault[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createDatabase({ urls: [database.url], size: 4, name: 'test', onLost: () => undefined })
  zoho = await FakeZoho.start()
  vaults = []
})
afterEach(async () => {
  await Promise.all(vaults.map((vault) => vault.close()))
  await pool.close()
  await zoho.close()
  await database.drop()
})

async function start(masterKeys = `${K2},${K1}`): Promise<TestVault> {
  const providers = { providers: [{ name: 'acme', token_url: `${zoho.url}/oauth/v2/token` }] }
  const env = { TOKEN_VAULT_MASTER_KEYS: masterKeys, TOKEN_VAULT_REFRESHER: 'off' }
  const vault = await startVault({ databaseUrl: database.url, env, providers })
  vaults.push(vault)
  return vault
}

async function rotate(
  waitMs = 0,
  masterKeys = `${K2},${K1}`,
  { dataKeys = true, anew = false } = {},
): Promise<string> {
  let output = ''
  const write = (text: string) => (output += text)
  await rotateKeys(
    pool.db,
    parseMasterKeys(masterKeys) ?? [],
    { write },
    { dataKeys, anew, record: () => Promise.resolve(), waitMs, pageSize: 7 },
  )
  return output
}

/** Ids of the data keys under which tokens stand. */
async function keyIds(): Promise<number[]> {
  const columns = ['client_secret', 'refresh_token', 'grant_token', 'access_token']
  const ids = columns.map((column) => `select substring(${column} from 2 for 4) as id from tokens`)
  const rows = await database.query<{ id: Buffer | null }>(ids.join(' union '))
  return rows.flatMap(({ id }) => (id === null ? [] : [id.readUInt32BE()])).sort((one, other) => one - other)
}

const save = (vault: TestVault, index: number, more: object = {}) =>
  vault.save({
    id: `t-${index}`,
    user_name: `user-${index}`,
    client_id: zoho.client.id,
    provider: 'acme',
    client_secret: zoho.client.secret,
    refresh_token: `refresh-${index}`,
    access_token: `access-${index}`,
    expires_in: 3600,
    ...more,
  })

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(5)
}

test('what a replica seals under the former key after its row was moved is found and moved in the end', async () => {
  const replica = await start()
  for (let index = 0; index < 20; index += 1) await save(replica, index)
  const rotated = rotate(2_500)
  await until(async () => (await keyIds()).join() === '3')
  // It has read its keys less than a minute ago and has met no value that would tell it of a newer one.
  expect((await save(replica, 100)).status).toBe(201)
  expect(await keyIds()).toEqual([2, 3])
  expect(await rotated).toContain('Moved 21 tokens to new data keys, 0 are left.')
  expect(await keyIds()).toEqual([3])
  expect((await replica.find({ id: 't-100' })).body.access_token).toBe('access-100')
})

test('a renewal under way keeps its claim: its answer is stored, whichever key it was sealed under', async () => {
  const replica = await start()
  const refresh_token = zoho.refreshToken()
  await save(replica, 0, { refresh_token, expires_in: 1 })
  const before = (await replica.find({ id: 't-0' })).body
  zoho.make({ delayMs: 600 }, 'refresh', 1)
  const renewed = replica.call('POST', '/v1/tokens/t-0/refresh')
  await until(() => Promise.resolve(zoho.count('refresh') === 1))
  await rotate(0)
  expect(await keyIds()).toEqual([3])
  const { status, body } = await renewed
  expect([status, body.version]).toEqual([200, (before.version ?? 0) + 1])
  const found = (await replica.find({ id: 't-0' })).body
  expect([found.access_token, found.refresh_token]).toEqual([body.access_token, refresh_token])
  expect(zoho.count('refresh')).toBe(1)
})

test('a row that somebody holds is passed over, and moved once it is free', async () => {
  const replica = await start()
  for (let index = 0; index < 10; index += 1) await save(replica, index)
  const gate = new EventEmitter()
  const [held, released] = [once(gate, 'hold'), once(gate, 'release')]
  const holding = pool.db.transaction().execute(async (trx) => {
    await trx.selectFrom('tokens').select('id').where('id', '=', 't-4').forUpdate().execute()
    gate.emit('hold')
    await released
  })
  await held
  const rotated = rotate()
  await until(
    async () =>
      (await database.query(`select from tokens where substring(access_token from 5 for 1) = '\\x03'`))
        .length === 9,
  )
  expect(await keyIds()).toEqual([2, 3])
  gate.emit('release')
  await holding
  expect(await rotated).toContain('Moved 10 tokens to new data keys, 0 are left.')
})

test('two rotations at once share the work and make one new key', async () => {
  const replica = await start()
  for (let index = 0; index < 60; index += 1) await save(replica, index)
  const outputs = await Promise.all([rotate(300), rotate(300)])
  const moved = outputs.map((output) => Number(/Moved (\d+) tokens/.exec(output)?.[1]))
  expect((moved[0] ?? 0) + (moved[1] ?? 0)).toBe(60)
  expect(await keyIds()).toEqual([3])
})

test('a rotation that has ended is not continued: the next one makes another key', async () => {
  await save(await start(), 0)
  await rotate()
  await rotate()
  expect(await keyIds()).toEqual([4])
})

describe('a rotation that was cut off', () => {
  const beginAgo = (interval: string) =>
    database.query(
      `insert into key_rotations values (date_trunc('milliseconds', now() - interval '${interval}'))`,
    )

  test('is continued, which says so, with the keys made since: unless it is to begin anew', async () => {
    await save(await start(), 0)
    await beginAgo('1 hour')
    expect(await rotate()).toMatch(/^Continues the rotation begun at \d{4}-\S+Z: .*--anew/)
    expect(await keyIds()).toEqual([2])
    await beginAgo('1 hour')
    expect(await rotate(0, `${K2},${K1}`, { anew: true })).not.toContain('Continues')
    expect(await keyIds()).toEqual([3])
  })

  test('more than a day ago is begun anew, with keys of its own', async () => {
    await save(await start(), 0)
    await beginAgo('25 hours')
    expect(await rotate()).not.toContain('Continues')
    expect(await keyIds()).toEqual([3])
    expect(await database.query('select from key_rotations where finished_at is null')).toEqual([])
  })
})

test('a hundred saves at once, when the keys have moved on, do not wait for each other', async () => {
  const replica = await start()
  const all = Array.from({ length: 100 }, (_, index) => index)
  await Promise.all(all.map((index) => save(replica, index)))
  await rotate()
  const answers = await Promise.all(all.map((index) => save(replica, index, { scope: 'new' })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
})

test('a value that does not open stays as it is and is named; the others are moved', async () => {
  const replica = await start()
  for (let index = 0; index < 10; index += 1) await save(replica, index)
  await database.query(
    `update tokens set access_token = (select access_token from tokens where id = 't-1') where id = 't-2'`,
  )
  await expect(rotate()).rejects.toThrow(
    /does not open: namespace \S+, key 2, tokens t-2 access_token: restore/,
  )
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from tokens where substring(access_token from 5 for 1) = '\\x03'`,
  )
  expect(row?.n).toBe(9)
})

test('a rotation ends though tokens of one id do not open in two namespaces, and names both', async () => {
  const replica = await start()
  await save(replica, 0)
  const others = [await createNamespace(pool.db, 'one'), await createNamespace(pool.db, 'two')]
  for (const id of others) {
    await database.query(
      `insert into tokens select (jsonb_populate_record(tokens, '{"namespace_id": "${id}"}')).* from tokens limit 1`,
    )
  }
  // Of the copies' own namespaces the first keys are made only now.
  await rotate()
  const error = await rotate().catch((cause: unknown) => String((cause as StartupError).faults))
  for (const id of others) expect(error).toContain(`namespace ${id}, key 2, tokens t-0 access_token`)
})

test('without --data-keys the data keys move to the first master key, and no token changes', async () => {
  const replica = await start(K1)
  await save(replica, 0)
  const rows = await database.query('select * from tokens')
  expect(await rotate(0, `${K2},${K1}`, { dataKeys: false })).toBe(
    'Moved 2 data keys to master key "k2", 0 are left.\n',
  )
  expect(await database.query('select * from tokens')).toEqual(rows)
  const alone = await start(K2)
  expect(await database.query('select distinct master_key_id as id from data_keys')).toEqual([{ id: 'k2' }])
  const found = await alone.call('GET', '/v1/tokens/t-0', undefined, { authorization: `Bearer ${alone.key}` })
  expect(found.body.access_token).toBe('access-0')
})

test('the command does so beside the service, and says what it did on plain lines', async () => {
  const replica = await start(K1)
  await save(replica, 0)
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: database.url,
    TOKEN_VAULT_MASTER_KEYS: `${K2},${K1}`,
  }
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'rotate-keys'], { env })
  expect(stdout).toBe('Moved 2 data keys to master key "k2", 0 are left.\n')
})

test('a start without a master key says which one, and how many keys and tokens need it', async () => {
  const replica = await start(K1)
  for (let index = 0; index < 3; index += 1) await save(replica, index)
  await createNamespace(pool.db, 'other')
  const config = readConfig({ DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS: K2 })
  await expect(serve(config, createLogger('silent'), false)).rejects.toThrow(
    'TOKEN_VAULT_MASTER_KEYS: key "k1" is missing, 2 stored data keys, and 3 tokens with them, need it: add it to the list',
  )
  await expect(rotate(0, K2)).rejects.toThrow('key "k1" is missing')
})

const TABLES = ['namespaces', 'api_keys', 'tokens', 'refresh_tokens', 'events']

test('values of an older dump do not open once their namespace was deleted', async () => {
  const replica = await start()
  await save(replica, 0, { grant_token: 'grant-0' })
  for (const table of TABLES) await database.query(`create table dump_${table} as select * from ${table}`)
  const id = (await findNamespace(pool.db, 'default'))?.id ?? ''
  await deleteNamespace(pool.db, id)
  for (const table of [...TABLES, 'data_keys'])
    expect(await database.query(`select from ${table}`)).toEqual([])

  for (const table of TABLES) await database.query(`insert into ${table} select * from dump_${table}`)
  const today = await start()
  const metadata = await today.call('GET', '/v1/tokens')
  expect(metadata.body.tokens?.map((token) => token.id)).toEqual(['t-0'])
  const { status, text } = await today.call('GET', '/v1/tokens/t-0')
  expect(status).toBe(500)
  expect(text).not.toMatch(/access-0|refresh-0|grant-0|fake-client-secret/)
  expect((await today.find({ refresh_token: 'refresh-0' })).status).toBe(404)
})

test('a save that meets the deletion of its namespace leaves no token behind', async () => {
  const replica = await start()
  await save(replica, 0)
  const id = (await findNamespace(pool.db, 'default'))?.id ?? ''
  const saves = Array.from({ length: 40 }, (_, index) => save(replica, index + 1))
  const [, ...answers] = await Promise.all([deleteNamespace(pool.db, id), ...saves])
  expect(answers.filter(({ status }) => status !== 201 && status !== 401)).toEqual([])
  expect((await save(replica, 99)).status).toBe(401)
  expect(await database.query('select from tokens')).toEqual([])
})

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseMasterKeys } from '../../src/config/formats.ts'
import { checkMasterKeys, createKeyring } from '../../src/crypto/keyring.ts'
import type { MasterKeys } from '../../src/crypto/master-keys.ts'
import { createMasterKeys, generateMasterKey } from '../../src/crypto/master-keys.ts'
import { keyIdOf } from '../../src/crypto/namespace-keys.ts'
import { StartupError } from '../../src/domain/errors.ts'
import type { DataKeyStore } from '../../src/domain/keyring.ts'
import { UnreadableError } from '../../src/domain/unreadable-error.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { ensureNamespace } from '../../src/store/namespaces.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'

const PLACE = { table: 'tokens', rowId: 'token-1', field: 'access_token' }
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

let database: TestDatabase
let pool: Database
let stored: DataKeyStore
let namespaceId: string
let reads: number

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createDatabase({ urls: [database.url], size: 8, name: 'test', onLost: () => undefined })
})
afterAll(async () => {
  await pool.close()
  await database.drop()
})
beforeEach(async () => {
  await database.query('delete from data_keys')
  namespaceId = await ensureNamespace(pool.db, randomUUID())
  reads = 0
  const store = createDataKeyStore(pool.db)
  stored = {
    ...store,
    listKeys: (id) => {
      reads += 1
      return store.listKeys(id)
    },
    addKey: (key) => store.addKey(key),
    sampleKeys: () => store.sampleKeys(),
  }
})

const masterOf = (...settings: string[]) => createMasterKeys(parseMasterKeys(settings.join(',')) ?? [])
const K1 = generateMasterKey('k1')
const K2 = generateMasterKey('k2')

/** The keyring of one replica; each has a cache of its own. */
const replica = (now = () => Date.now(), master: MasterKeys = masterOf(K1)) =>
  createKeyring(stored, master, now)

const keyRows = () =>
  database.query<{ id: number; purpose: string; master_key_id: string }>(
    'select id, purpose, master_key_id from data_keys where namespace_id = $1 order by id',
    [namespaceId],
  )

test('many replicas that need the first keys at once make one set of them', async () => {
  const replicas = Array.from({ length: 16 }, () => replica())
  const all = await Promise.all(replicas.map((keyring) => keyring.keysOf(namespaceId)))
  expect((await keyRows()).map(({ purpose }) => purpose)).toEqual(['lookup', 'seal'])
  const sealed = all.map((keys, index) => keys.seal(PLACE, new Secret(`value ${index}`)))
  const last = all.at(-1)
  expect(sealed.map((value) => last?.open(PLACE, value).reveal())).toEqual(
    sealed.map((_, index) => `value ${index}`),
  )
  expect(new Set(all.map((keys) => keys.digest('a', new Secret('b')).toString('hex'))).size).toBe(1)
})

test('each namespace has keys of its own', async () => {
  const keyring = replica()
  const other = await ensureNamespace(pool.db, randomUUID())
  const [one, two] = [await keyring.keysOf(namespaceId), await keyring.keysOf(other)]
  expect(() => two.open(PLACE, one.seal(PLACE, new Secret('value')))).toThrow(UnreadableError)
  expect(one.digest('a', new Secret('b'))).not.toEqual(two.digest('a', new Secret('b')))
})

test('keys are read once, kept for a minute and not longer', async () => {
  let now = Date.now()
  const keyring = replica(() => now)
  await keyring.keysOf(namespaceId)
  const before = reads
  now += MINUTE - 1
  await keyring.keysOf(namespaceId)
  expect(reads).toBe(before)
  now += 1
  await keyring.keysOf(namespaceId)
  expect(reads).toBe(before + 1)
})

test('keys are read anew when the clock has been set back: nobody knows how old they are', async () => {
  let now = Date.now()
  const keyring = replica(() => now)
  await keyring.keysOf(namespaceId)
  const before = reads
  now -= 1
  await keyring.keysOf(namespaceId)
  expect(reads).toBe(before + 1)
})

test('a thousand callers at once cost one reading', async () => {
  await replica().keysOf(namespaceId)
  reads = 0
  const keyring = replica()
  await Promise.all(Array.from({ length: 1000 }, () => keyring.keysOf(namespaceId)))
  expect(reads).toBe(1)
})

/** As if the keys had been made so much earlier. */
const age = (minutes: number) =>
  database.query(`update data_keys set created_at = created_at - interval '${minutes} minutes'`)

test('a primary key older than 3 days retires: the next one seals, the old one still opens', async () => {
  const sealed = (await replica().keysOf(namespaceId)).seal(PLACE, new Secret('old'))
  await age(3 * 24 * 60 - 1)
  expect(keyIdOf((await replica().keysOf(namespaceId)).seal(PLACE, new Secret('')))).toBe(2)
  await age(2)
  const replicas = await Promise.all(Array.from({ length: 8 }, () => replica().keysOf(namespaceId)))
  expect(replicas.map((keys) => keyIdOf(keys.seal(PLACE, new Secret('new'))))).toEqual(replicas.map(() => 3))
  expect(replicas[0]?.open(PLACE, sealed).reveal()).toBe('old')
  expect((await keyRows()).map(({ purpose }) => purpose)).toEqual(['lookup', 'seal', 'seal'])
})

test('digests stay the same when a sealing key retires', async () => {
  const digest = async () => (await replica().keysOf(namespaceId)).digest('a', new Secret('b'))
  const before = await digest()
  await age(8 * 24 * 60)
  expect(await digest()).toEqual(before)
})

test('a key that another replica has made since is picked up with the first value that needs it', async () => {
  const behind = replica()
  const old = await behind.keysOf(namespaceId)
  const ahead = replica(() => Date.now() + 8 * DAY)
  const sealed = (await ahead.keysOf(namespaceId)).seal(PLACE, new Secret('value'))
  expect(() => old.open(PLACE, sealed)).toThrow(UnreadableError)
  expect((await behind.keysOf(namespaceId, [sealed])).open(PLACE, sealed).reveal()).toBe('value')
})

test('a key that is made while the keys are being read is picked up all the same', async () => {
  await replica().keysOf(namespaceId)
  const listKeys = stored.listKeys.bind(stored)
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  let first = true
  const slow: DataKeyStore = {
    ...stored,
    async listKeys(id) {
      const keys = await listKeys(id)
      if (first) {
        first = false
        await held
      }
      return keys
    },
  }
  const behind = createKeyring(slow, masterOf(K1), Date.now)
  const early = behind.keysOf(namespaceId)
  const ahead = await replica(() => Date.now() + 8 * DAY).keysOf(namespaceId)
  const sealed = ahead.seal(PLACE, new Secret('value'))
  const late = behind.keysOf(namespaceId, [sealed])
  release()
  await early
  expect((await late).open(PLACE, sealed).reveal()).toBe('value')
})

test('data keys are stored wrapped, under the first master key, and any of the list unwraps', async () => {
  const sealed = (await replica().keysOf(namespaceId)).seal(PLACE, new Secret('value'))
  const rotated = await replica(undefined, masterOf(K2, K1)).keysOf(namespaceId)
  expect(rotated.open(PLACE, sealed).reveal()).toBe('value')
  const other = await ensureNamespace(pool.db, randomUUID())
  await replica(undefined, masterOf(K2, K1)).keysOf(other)
  expect((await keyRows()).map((row) => row.master_key_id)).toEqual(['k1', 'k1'])
  const masters = await database.query('select distinct master_key_id as id from data_keys order by id')
  expect(masters).toEqual([{ id: 'k1' }, { id: 'k2' }])
  expect((await stored.sampleKeys()).map((key) => key.masterKeyId)).toEqual(['k1', 'k2'])
})

test('a wrapped key that is moved to another namespace, id or purpose does not unwrap', async () => {
  await replica().keysOf(namespaceId)
  const other = await ensureNamespace(pool.db, randomUUID())
  const [, key] = await stored.listKeys(namespaceId)
  if (key === undefined) throw new Error('there is no key')
  const master = masterOf(K1)
  expect(master.unwrap(key)).toHaveLength(32)
  for (const moved of [{ namespaceId: other }, { id: 7 }, { purpose: 'lookup' as const }]) {
    expect(() => master.unwrap({ ...key, ...moved })).toThrow()
  }
})

test('a start without a master key that stored keys need says which, and how many need it', async () => {
  await replica().keysOf(namespaceId)
  await expect(checkMasterKeys(stored, masterOf(K1))).resolves.toBeUndefined()
  await expect(checkMasterKeys(stored, masterOf(K2))).rejects.toThrow(StartupError)
  await expect(checkMasterKeys(stored, masterOf(K2))).rejects.toThrow(
    'TOKEN_VAULT_MASTER_KEYS: key "k1" is missing, 2 stored data keys, and 0 tokens with them, need it: add it to the list',
  )
})

test('where too many need a missing master key to be counted, the start says so', async () => {
  await replica().keysOf(namespaceId)
  const refusalOf = (keys: number, tokens: number) =>
    checkMasterKeys({ ...stored, countNeeding: () => Promise.resolve({ keys, tokens }) }, masterOf(K2))
  await expect(refusalOf(7, 100_001)).rejects.toThrow('7 stored data keys, and more than 100,000 tokens with')
  await expect(refusalOf(100_001, 7)).rejects.toThrow(
    'more than 100,000 stored data keys, and the tokens with',
  )
})

test('a start with a wrong master key says which', async () => {
  await replica().keysOf(namespaceId)
  await replica(undefined, masterOf(K2)).keysOf(await ensureNamespace(pool.db, randomUUID()))
  const wrong = masterOf(K2, generateMasterKey('k1'))
  await expect(checkMasterKeys(stored, wrong)).rejects.toMatchObject({
    name: 'StartupError',
    faults: [
      'TOKEN_VAULT_MASTER_KEYS: key "k1" is not the one that 2 stored data keys, and 0 tokens with them, need: give the original key',
    ],
  })
})

import pg from 'pg'
import { commandKeys } from '../../src/commands.ts'
import { parseMasterKeys } from '../../src/config/formats.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { createMasterKeys } from '../../src/crypto/master-keys.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import type { Db } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import type { Keys } from '../load/requests.ts'
import { NAMESPACES, namespaceIdOf } from '../tokens.ts'
import { fill, usedOf } from './fill.ts'

/** A database full of tokens. */
export interface BenchDatabase {
  url: string
  tokens: number
  /** So many from the first on were used within the hour; nobody has asked for the others yet. */
  used: number
  /** An API key for each namespace. */
  readers: Keys
  writers: Keys
  db: Db
  keyring: Keyring
  close(): Promise<void>
}

export interface DatabaseParts {
  /** Of the server. */
  serverUrl: string
  name: string
  masterKeys: string
  handWrittenKey: Buffer
  tokens: number
}

/** Makes a database and fills it. */
export async function createBenchDatabase(parts: DatabaseParts): Promise<BenchDatabase> {
  const { serverUrl, name, masterKeys, handWrittenKey, tokens } = parts
  const url = Object.assign(new URL(serverUrl), { pathname: name }).href
  await createEmpty(serverUrl, name)
  const database = createDatabase({
    urls: [url],
    size: 4,
    name: 'bench',
    patient: true,
    onLost: () => undefined,
  })
  const { db } = database
  await migrate(db)
  const keyring = keyringOf(db, masterKeys)
  await db.insertInto('namespaces').values(namespaces()).execute()
  await fill({ url, keyring, handWrittenKey }, tokens)
  return {
    url,
    tokens,
    used: usedOf(tokens),
    readers: await makeKeys(db, 'tokens:read'),
    writers: await makeKeys(db, 'tokens:read,tokens:write'),
    db,
    keyring,
    close: () => database.close(),
  }
}

async function createEmpty(serverUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
}

function keyringOf(db: Db, masterKeys: string): Keyring {
  const master = createMasterKeys(parseMasterKeys(masterKeys) ?? [])
  return createKeyring(createDataKeyStore(db), master, Date.now)
}

const nameOf = (namespace: number) => `bench-${namespace}`

function namespaces() {
  return Array.from({ length: NAMESPACES }, (_, namespace) => ({
    id: namespaceIdOf(namespace),
    name: nameOf(namespace),
  }))
}

/** As `token-vault keys create` makes them. */
async function makeKeys(db: Db, scopes: string): Promise<Keys> {
  const keys: Keys = []
  const parts = { db, tell: (key: string) => keys.push(key), record: () => Promise.resolve() }
  for (let namespace = 0; namespace < NAMESPACES; namespace += 1) {
    const words = { action: 'create', subject: undefined, name: 'bench', scopes, expiresAt: 'never' }
    await commandKeys(parts, { ...words, namespace: nameOf(namespace) })
  }
  return keys
}

import pg from 'pg'
import { commandKeys } from '../../src/commands/keys.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import type { Db } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import type { Keys } from '../load/requests.ts'
import { NAMESPACES, namespaceIdOf } from '../tokens.ts'
import type { FillOptions } from './fill.ts'
import { fill } from './fill.ts'
import { keyringOf } from './keyring.ts'

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
  /** In hexadecimal; null where the hand-written service is not to have the same tokens. */
  handWrittenKey: string | null
  tokens: number
}

/** Makes a database and fills it. */
export async function createBenchDatabase(parts: DatabaseParts): Promise<BenchDatabase> {
  const url = Object.assign(new URL(parts.serverUrl), { pathname: parts.name }).href
  await createEmpty(parts.serverUrl, parts.name)
  const used = parts.tokens - Math.floor(parts.tokens / 10)
  // Whatever a crash costs meanwhile, the bench begins anew after it.
  const keys = await prepare({ ...parts, url: `${url}?options=-c%20synchronous_commit%3Doff`, used })
  const database = open(url)
  const keyring = keyringOf(database.db, parts.masterKeys)
  return {
    ...{ url, tokens: parts.tokens, used, ...keys, db: database.db, keyring },
    close: () => database.close(),
  }
}

const open = (url: string) =>
  createDatabase({ urls: [url], size: 4, name: 'bench', patient: true, onLost: () => undefined })

async function prepare(options: FillOptions): Promise<{ readers: Keys; writers: Keys }> {
  const database = open(options.url)
  const { db } = database
  await migrate(db)
  await db.insertInto('namespaces').values(namespaces()).execute()
  const keyring = keyringOf(db, options.masterKeys)
  for (const { id } of namespaces()) await keyring.keysOf(id)
  await fill(options)
  const keys = {
    readers: await makeKeys(db, 'tokens:read'),
    writers: await makeKeys(db, 'tokens:read,tokens:write'),
  }
  await database.close()
  return keys
}

async function createEmpty(serverUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
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

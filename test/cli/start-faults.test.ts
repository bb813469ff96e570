import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import dns from 'node:dns'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { waitForDatabase } from '../../src/backing/wait-for-database.ts'
import { readConfig } from '../../src/config/config.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { serve } from '../../src/main.ts'
import { openDataFolder } from '../../src/embedded/data-folder.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { endAll, tokenVault } from './command-line.ts'

const PASSWORD = `pw-${randomBytes(12).toString('hex')}`
const masterKeys = generateMasterKey('k1')
const databases: TestDatabase[] = []

let database: TestDatabase
let settings: Record<string, string>
let folder: string

async function newDatabase(): Promise<TestDatabase> {
  const created = await createTestDatabase()
  databases.push(created)
  return created
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vault-cli-'))
  chmodSync(folder, 0o755)
  database = await newDatabase()
  settings = { PORT: '0', DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS: masterKeys }
})

afterAll(async () => {
  await endAll()
  await Promise.all(databases.map((each) => each.drop()))
  rmSync(folder, { recursive: true, force: true })
})

/** Starts, and expects one line on standard error, exit code 1 and nothing that looks like a fault of ours. */
async function faultOf(env: Record<string, string>, args: string[] = []): Promise<string> {
  const service = tokenVault(args, env, folder)
  const code = await service.ended
  const said = service.stderr()
  expect(said.trimEnd().split('\n')).toEqual([expect.stringMatching(/\S/)])
  expect(code).toBe(1)
  expect(service.stdout() + said).not.toMatch(/^\s+at |Error:|"level":"fatal"/m)
  for (const secret of [PASSWORD, masterKeys.slice(3), new URL(database.url).password])
    expect(service.stdout() + said).not.toContain(secret)
  return said
}

/** Of `localhost`, in place of Node's. */
const slowLookUp = ((_name: string, _options: object, found: (...answer: unknown[]) => void) => {
  setTimeout(found, 100, null, '127.0.0.1', 4)
}) as typeof dns.lookup

const urlWith = (change: Partial<URL>) => Object.assign(new URL(database.url), change).href

describe('a database that cannot be used stops the start after 10 s, in one line', () => {
  it.concurrent('a port where nothing listens', async () => {
    const DATABASE_URL = urlWith({ port: String(await freePort()) })
    const startedAt = performance.now()
    expect(await faultOf({ ...settings, DATABASE_URL })).toMatch(
      /^DATABASE_URL: Postgres cannot be used \(ECONNREFUSED: nothing listens there\): check host, port/,
    )
    expect(performance.now() - startedAt).toBeGreaterThan(9_000)
  })

  it.concurrent('a wrong password', async () => {
    expect(await faultOf({ ...settings, DATABASE_URL: urlWith({ password: PASSWORD }) })).toMatch(
      /^DATABASE_URL: .* \(28P01: it refuses the password\): check .*password/,
    )
  })

  it.concurrent('an unknown database', async () => {
    expect(await faultOf({ ...settings, DATABASE_URL: urlWith({ pathname: '/nowhere' }) })).toMatch(
      /^DATABASE_URL: .* \(3D000: it has no such database\): check .*database/,
    )
  })

  it.concurrent('one that takes no writes', async () => {
    const DATABASE_URL = urlWith({ search: '?options=-c%20default_transaction_read_only%3Don' })
    expect(await faultOf({ ...settings, DATABASE_URL })).toMatch(/\(25006: it takes no writes\): check /)
  })

  it.concurrent('TLS that it does not have', async () => {
    expect(await faultOf({ ...settings, DATABASE_URL: urlWith({ search: '?sslmode=verify-full' }) })).toMatch(
      /^DATABASE_URL: .* \(it offers no TLS, which sslmode asks for\): check /,
    )
  })

  it.concurrent('one that says why, and is silent at last', async () => {
    const silentAt = performance.now() + 9_000
    const refusal = Object.assign(new Error(), { code: '28P01' })
    const ping = () =>
      performance.now() < silentAt ? Promise.reject(refusal) : new Promise<void>(() => undefined)
    await expect(waitForDatabase({ ping })).rejects.toThrow('(28P01: it refuses the password)')
  })

  it.concurrent('a port where something else listens, which says nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      const DATABASE_URL = urlWith({ port: String(port) })
      expect(await faultOf({ ...settings, DATABASE_URL }, ['migrate'])).toMatch(
        /^DATABASE_URL: Postgres cannot be used \((timeout|no answer)\)/,
      )
    } finally {
      server.close()
    }
  })
})

describe('a schema that is not this program’s', () => {
  it('an older one: migrate', async () => {
    const empty = await newDatabase()
    await empty.query('drop schema public cascade')
    await empty.query('create schema public')
    expect(await faultOf({ ...settings, DATABASE_URL: empty.url })).toMatch(
      /^DATABASE_URL: the schema lacks 0001_\w+.*: run "npm run migrate"/,
    )
  })

  it('a newer one: neither served nor migrated', async () => {
    const later = await newDatabase()
    await later.query(`insert into kysely_migration values ('9999_later', now()::text)`)
    for (const command of ['serve', 'migrate']) {
      expect(await faultOf({ ...settings, DATABASE_URL: later.url }, [command])).toMatch(
        /^DATABASE_URL: the schema is newer than this program \(9999_later\): run the version that made it/,
      )
    }
  })
})

describe('master keys', () => {
  it('that are missing are asked for', async () => {
    expect(await faultOf({ PORT: '0', DATABASE_URL: database.url })).toMatch(
      /^TOKEN_VAULT_MASTER_KEYS: is needed with DATABASE_URL, for example TOKEN_VAULT_MASTER_KEYS=k1:/,
    )
  })

  it('that are not those of the stored data are refused', async () => {
    const { url } = await newDatabase()
    const first = tokenVault([], { ...settings, DATABASE_URL: url }, folder)
    await first.says('serves on')
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)

    const withKeys = (keys: string) => ({ ...settings, DATABASE_URL: url, TOKEN_VAULT_MASTER_KEYS: keys })
    expect(await faultOf(withKeys(generateMasterKey('k1')))).toMatch(
      /^TOKEN_VAULT_MASTER_KEYS: key "k1" is not the one that 2 stored data keys, and 0 tokens with them, need: give the original key/,
    )
    expect(await faultOf(withKeys(generateMasterKey('k2')))).toMatch(
      /^TOKEN_VAULT_MASTER_KEYS: key "k1" is missing, 2 stored data keys, and 0 tokens with them, need it: add it to the list/,
    )
  })
})

describe('the address', () => {
  let other: Server

  beforeAll(async () => {
    other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
  })
  afterAll(() => {
    other.close()
  })

  it('a port that is used is named', async () => {
    const { port } = other.address() as AddressInfo
    expect(await faultOf({ ...settings, PORT: String(port) })).toMatch(
      new RegExp(`^PORT: ${port} is in use on 127\\.0\\.0\\.1: .* for example PORT=${port + 1}\\n$`),
    )
    expect(await faultOf({ ...settings, TOKEN_VAULT_METRICS_PORT: String(port) })).toMatch(
      new RegExp(
        `^TOKEN_VAULT_METRICS_PORT: ${port} is in use on .* TOKEN_VAULT_METRICS_PORT=${port + 1}\\n$`,
      ),
    )
  })

  it('a port that is used leaves no metrics served, even to who holds a connection to them', async () => {
    const { port } = other.address() as AddressInfo
    const metricsPort = await freePort()
    const config = readConfig({
      ...settings,
      HOST: 'localhost',
      PORT: String(port),
      TOKEN_VAULT_METRICS_PORT: String(metricsPort),
      TOKEN_VAULT_AUDIT_LOG: join(folder, 'audit.log'),
    })
    const silent: Socket[] = []
    const log = createLogger('info', {
      write(line) {
        if (line.includes('serving metrics')) silent.push(connect(metricsPort, '127.0.0.1'))
      },
    })
    // While the name is looked up for the other port, the connection is made.
    const lookUp = vi.spyOn(dns, 'lookup').mockImplementation(slowLookUp)
    await expect(serve(config, log, false)).rejects.toThrow(`PORT: ${port} is in use`)
    lookUp.mockRestore()
    expect(silent.map((socket) => socket.bytesRead)).toEqual([0])
    await expect(fetch(`http://127.0.0.1:${metricsPort}/metrics`)).rejects.toThrow('fetch failed')
  })

  it('an address of another machine is named', async () => {
    expect(await faultOf({ ...settings, HOST: '192.0.2.1' })).toMatch(
      /^HOST: 192\.0\.2\.1 is no address of this machine: .* HOST=127\.0\.0\.1\n$/,
    )
  })
})

describe('the data folder', () => {
  it('where nobody may make one is named', async () => {
    const TOKEN_VAULT_DATA_DIR = '/sys/token-vault'
    expect(await faultOf({ PORT: '0', TOKEN_VAULT_DATA_DIR })).toMatch(
      /^TOKEN_VAULT_DATA_DIR: cannot use \/sys\/token-vault \(.*\)\. Give it to the user that runs/,
    )
  })

  it('that holds something else is left alone', async () => {
    writeFileSync(join(folder, 'mine.txt'), 'mine')
    expect(await faultOf({ PORT: '0', TOKEN_VAULT_DATA_DIR: folder })).toMatch(
      /^TOKEN_VAULT_DATA_DIR: .* holds files of something else/,
    )
  })
})

describe('a file of the data folder that is malformed is named, with what to do', () => {
  let TOKEN_VAULT_DATA_DIR: string
  const fileOf = (name: string) => join(TOKEN_VAULT_DATA_DIR, name)

  beforeEach(() => {
    TOKEN_VAULT_DATA_DIR = mkdtempSync(join(folder, 'data-'))
    openDataFolder(TOKEN_VAULT_DATA_DIR).close()
  })

  it.each([
    ['one master key a line', `${masterKeys}\n${generateMasterKey('k2')}\n`],
    ['a comma after the last one', `${masterKeys},\n`],
    ['one without an id', `${masterKeys.slice(3)}\n`],
  ])('%s', async (_case, text) => {
    writeFileSync(fileOf('master-keys'), text)
    for (const args of [[], ['audit', 'fingerprint']]) {
      expect(await faultOf({ PORT: '0', TOKEN_VAULT_DATA_DIR }, args)).toBe(
        `${fileOf('master-keys')}: must be id:base64 with commas in between, each id once and each key of 32 bytes, ` +
          'for example k2:<base64>,k1:<base64>\n',
      )
    }
  })

  it('half a bootstrap key', async () => {
    writeFileSync(fileOf('bootstrap-key'), `tv_bootstrap_${PASSWORD}\n`)
    expect(await faultOf({ PORT: '0', TOKEN_VAULT_DATA_DIR })).toMatch(
      /\/bootstrap-key: must be an API key, .*: restore it from a backup, or remove the file: the next start makes/,
    )
    rmSync(fileOf('bootstrap-key'))
    const mended = tokenVault([], { PORT: '0', TOKEN_VAULT_DATA_DIR })
    await mended.says('The first API key, shown this once: tv_bootstrap_')
  })
})

describe('the command line', () => {
  it('names an unknown command and shows those there are', async () => {
    for (const [args, says] of [
      [['serv'], /^serv: there is no such command\.\n\ntoken-vault \[command\]/],
      [['--verbose'], /^serve takes no --verbose\.\n\ntoken-vault \[command\]/],
      [['migrate', 'now'], /^migrate takes no 'now'\.\n\ntoken-vault \[command\]/],
    ] as const) {
      const command = tokenVault([...args], {}, folder)
      expect(await command.ended).toBe(1)
      expect(command.stderr()).toMatch(says)
      expect(command.stderr()).not.toMatch(/^\s+at /m)
    }
  })

  it('tells its version, with whatever settings', async () => {
    const command = tokenVault(['--version'], { PORT: 'x' }, folder)
    expect(await command.ended).toBe(0)
    expect(command.stdout()).toBe(`${manifest.version}\n`)
  })

  it('explains itself', async () => {
    const command = tokenVault(['--help'], {}, folder)
    expect(await command.ended).toBe(0)
    expect(command.stdout()).toMatch(/serve .*\n.*--ephemeral.*\n.*migrate/)
  })
})

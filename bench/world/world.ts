import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts'
import type { LoadPlan, LoadResult } from '../load/load.ts'
import type { Options } from '../options.ts'
import { build } from '../processes/build.ts'
import type { Child } from '../processes/child.ts'
import { startChild } from '../processes/child.ts'
import type { Vault, VaultSettings } from '../processes/vault.ts'
import { startVault } from '../processes/vault.ts'
import { PROVIDER } from '../tokens.ts'
import type { BenchDatabase } from './database.ts'
import { createBenchDatabase } from './database.ts'

/** A process that answers HTTP. */
export interface Server {
  pid: number
  port: number
}

/** All that runs while the cases are measured, each as a process of its own. */
export interface World {
  options: Options
  database: BenchDatabase
  /** Over the database, with nothing due. */
  vault: Vault
  handWritten: Server
  hello: Server
  /** Null where it is not installed. */
  pgbench: string | null
  /** Any further database on the same Postgres, with so many tokens. */
  createDatabase(name: string, tokens: number): Promise<BenchDatabase>
  /** One more replica. */
  startVault(database: BenchDatabase, how?: Pick<VaultSettings, 'program'>): Promise<Vault>
  load(plan: LoadPlan): Promise<LoadResult>
  /** How the stand-in for a provider is to behave, and what it has answered so far. */
  provider(orders: { delayMs: number }): Promise<{ answered: number }>
  say(line: string): void
  close(): Promise<void>
}

type Closing = () => void | Promise<void>

/** Starts everything; resolves when the tokens are loaded and all of it answers. */
export async function openWorld(options: Options): Promise<World> {
  const closings: Closing[] = []
  const close = async () => {
    for (const closing of closings.splice(0).reverse()) await closing()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(1)))
  }
  try {
    return await open(options, closings, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function open(options: Options, closings: Closing[], close: () => Promise<void>): Promise<World> {
  const folder = makeFolder()
  closings.push(() => {
    remove(folder)
  })
  const start = async (module: URL, env: Record<string, string> = {}) => {
    const { child, said } = await startChild(module, env)
    closings.push(() => child.stop())
    return { ...child, port: (said as { port: number }).port }
  }
  // Not an ephemeral one: that would not wait for the disk.
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), ephemeral: false })
  closings.push(async () => {
    await postgres.stop()
    // Its home is elsewhere where Postgres' user cannot reach the folder.
    remove(dirname(postgres.directory))
  })
  const masterKeys = generateMasterKey('bench')
  const handWrittenKey = randomBytes(32).toString('hex')
  const createDatabase = async (name: string, tokens: number) => {
    const parts = { serverUrl: postgres.url, name, masterKeys, handWrittenKey, tokens }
    const database = await createBenchDatabase(parts)
    closings.push(() => database.close())
    return database
  }
  const provider = await start(new URL('../processes/provider.ts', import.meta.url))
  const providersFile = writeProviders(folder, provider.port)
  const [database] = await Promise.all([loaded(options.tokens, createDatabase), build()])
  const startReplica = async ({ url: databaseUrl }: BenchDatabase, how = {}) => {
    const vault = await startVault({ databaseUrl, masterKeys, providersFile, folder, ...how })
    closings.push(() => vault.stop())
    return vault
  }
  const load = await start(new URL('../load/process.ts', import.meta.url))
  const handWrittenEnv = { HAND_WRITTEN_URL: database.url, HAND_WRITTEN_KEY: handWrittenKey }
  return {
    options,
    database,
    vault: await startReplica(database),
    handWritten: await start(new URL('../baselines/hand-written.ts', import.meta.url), handWrittenEnv),
    hello: await start(new URL('../baselines/hello.ts', import.meta.url)),
    pgbench: programOf('pgbench'),
    createDatabase,
    startVault: startReplica,
    load: (plan) => ask<LoadResult>(load, plan),
    provider: (orders) => ask<{ answered: number }>(provider, orders),
    say: console.error,
    close,
  }
}

const ask = <Answer>(child: Child, message: object) => child.ask(message) as Promise<Answer>

function writeProviders(folder: string, port: number): string {
  const file = join(folder, 'providers.json')
  const entry = { name: PROVIDER, token_url: `http://127.0.0.1:${port}/token` }
  writeFileSync(file, JSON.stringify({ providers: [entry] }))
  return file
}

function programOf(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}

async function loaded(tokens: number, createDatabase: World['createDatabase']): Promise<BenchDatabase> {
  const startedAt = performance.now()
  const database = await createDatabase('bench', tokens)
  const seconds = (performance.now() - startedAt) / 1000
  console.error(`${tokens.toLocaleString('en')} tokens were loaded in ${seconds.toFixed(0)} s`)
  return database
}

/** Others may pass through it: as root, Postgres runs as another user. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'token-vault-bench-'))
  chmodSync(folder, 0o755)
  return folder
}

const remove = (folder: string) => {
  rmSync(folder, { recursive: true, force: true })
}

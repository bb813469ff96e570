import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { LoadPlan, LoadResult } from '../load/load.ts'
import type { Options } from '../options.ts'
import { build } from '../processes/build.ts'
import type { Child } from '../processes/child.ts'
import { startChild } from '../processes/child.ts'
import type { Vault } from '../processes/vault.ts'
import { startVault } from '../processes/vault.ts'
import type { Closings } from './closings.ts'
import { createClosings } from './closings.ts'
import type { BenchDatabase } from './database.ts'
import { createBenchDatabase } from './database.ts'
import { makeFolder, startPostgres, writeProviders } from './ground.ts'

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
  /** One more database on the same Postgres, with so many tokens that the hand-written service has not. */
  createDatabase(name: string, tokens: number): Promise<BenchDatabase>
  /** One more replica. */
  startVault(database: BenchDatabase): Promise<Vault>
  load(plan: LoadPlan): Promise<LoadResult>
  /** How the stand-in for a provider is to behave, and what it has answered so far. */
  provider(orders: { delayMs: number }): Promise<{ answered: number }>
  say(line: string): void
  close(): Promise<void>
}

const HELLO = new URL('../baselines/hello.ts', import.meta.url)
const HAND_WRITTEN = new URL('../baselines/hand-written.ts', import.meta.url)
const LOAD = new URL('../load/process.ts', import.meta.url)
const PROVIDER = new URL('../processes/provider.ts', import.meta.url)

/** Starts everything; resolves when the tokens are loaded and all of it answers. */
export async function openWorld(options: Options): Promise<World> {
  const closings = createClosings()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void closings.close().finally(() => process.exit(1)))
  }
  try {
    return await open(options, closings)
  } catch (error) {
    await closings.close()
    throw error
  }
}

async function open(options: Options, closings: Closings): Promise<World> {
  const folder = makeFolder(closings)
  const serverUrl = await startPostgres(folder, closings)
  const masterKeys = generateMasterKey('bench')
  const handWrittenKey = randomBytes(32).toString('hex')
  const start = starterOf(closings)
  const provider = await start(PROVIDER)
  const providersFile = writeProviders(folder, provider.port)
  const createDatabase = async (name: string, tokens: number, key: string | null = null) => {
    const database = await createBenchDatabase({ serverUrl, name, masterKeys, handWrittenKey: key, tokens })
    closings.add(() => database.close())
    return database
  }
  const startReplica = async ({ url: databaseUrl }: BenchDatabase) => {
    const vault = await startVault({ databaseUrl, masterKeys, providersFile, folder })
    closings.add(() => vault.stop())
    return vault
  }
  const fill = () => createDatabase('bench', options.tokens, options.flat ? null : handWrittenKey)
  const [database] = await Promise.all([
    timed(`${options.tokens.toLocaleString('en')} tokens`, fill),
    build(),
  ])
  const load = await start(LOAD)
  return {
    options,
    database,
    vault: await startReplica(database),
    handWritten: await start(HAND_WRITTEN, {
      HAND_WRITTEN_URL: database.url,
      HAND_WRITTEN_KEY: handWrittenKey,
    }),
    hello: await start(HELLO),
    pgbench: programOf('pgbench'),
    createDatabase,
    startVault: startReplica,
    load: (plan) => load.ask(plan) as Promise<LoadResult>,
    provider: (orders) => provider.ask(orders) as Promise<{ answered: number }>,
    say: console.error,
    close: () => closings.close(),
  }
}

function starterOf(closings: Closings) {
  return async (module: URL, env: Record<string, string> = {}): Promise<Child & Server> => {
    const { child, said } = await startChild(module, env)
    closings.add(() => child.stop())
    return { ...child, port: (said as { port: number }).port }
  }
}

function programOf(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}

async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now()
  const result = await work()
  console.error(`${what}: loaded in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  return result
}

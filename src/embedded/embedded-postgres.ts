import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { StartupError } from '../domain/errors.ts'
import { findBinaries } from './binaries.ts'
import { readOrMakeSecret } from './data-folder.ts'
import { freePort, isFreePort } from './free-port.ts'
import type { GuardJob } from './guard.ts'
import { CLUSTER, makeSharedFolder, openEphemeralHome, openHome } from './home.ts'
import type { GuardedPostgres } from './process.ts'
import { keepRunning, launchGuard, logPathOf } from './process.ts'
import { postgresUser } from './user.ts'

/** A Postgres of the service's own, for as long as the service lives. */
export interface EmbeddedPostgres {
  /** Where to connect: a superuser's URL, good for the whole life of the service. */
  url: string
  /** The folder of the cluster. */
  directory: string
  /** Stops it, and removes it where it is ephemeral. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** The caller holds its lock (see `openDataFolder`). Not touched where the Postgres is ephemeral. */
  dataDir: string
  /** Keeps nothing: the cluster lives in the folder for temporary files. */
  ephemeral: boolean
  /** Postgres settings beyond, or instead of, the usual ones. */
  settings?: Record<string, string>
  /** Holds what Postgres' user cannot reach elsewhere; only for root. */
  sharedFolder?: string
  /** Names a port to try; asked again where somebody else was faster to take it. */
  nextPort?: () => Promise<number>
}

const PORT_ATTEMPTS = 5
const CONNECT_MS = 5000
export const PASSWORD = 'postgres-password'
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  log_checkpoints: 'off',
}

/**
 * Starts Postgres from the binaries that npm installed, in a cluster that is made where there is none. It ends with
 * the process, however that ends, and not before: should it die by itself, it is started again on the same port.
 *
 * @throws StartupError with what to do about it
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const job = await prepare(options).catch(rethrowExplained)
  const removeRemains = () => {
    if (job.ephemeral) rmSync(job.home, { recursive: true, force: true })
  }
  try {
    const { postgres, port } = await startOnFreePort(job, options.nextPort ?? freePort)
    const url = urlOf(job.password, port)
    await expectWelcome(url, postgres)
    const restart = { ...onPort(job, port), mayInit: false }
    const keeper = keepRunning(postgres, () => launchGuard(restart))
    return {
      url,
      directory: job.cluster,
      async stop() {
        await keeper.stop()
        // The guard does it, unless there was none at this moment.
        removeRemains()
      },
    }
  } catch (error) {
    removeRemains()
    return rethrowExplained(error)
  }
}

export function urlOf(password: string, port: number): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

async function prepare(options: EmbeddedPostgresOptions): Promise<GuardJob> {
  const { dataDir, ephemeral, settings, sharedFolder = '/var/lib/token-vault' } = options
  const shared = () => makeSharedFolder(sharedFolder)
  const user = postgresUser(ephemeral ? null : join(dataDir, CLUSTER))
  const binaries = await findBinaries(user, shared)
  const home = ephemeral ? openEphemeralHome(user, shared) : openHome(dataDir, user, shared)
  return {
    initdb: binaries.initdb,
    postgres: binaries.postgres,
    home,
    cluster: join(home, CLUSTER),
    ephemeral,
    user,
    settings: { ...SETTINGS, ...(ephemeral && { fsync: 'off' }), ...settings },
    password: ephemeral ? newPassword() : readOrMakeSecret(join(dataDir, PASSWORD), newPassword),
    mayInit: true,
  }
}

async function startOnFreePort(
  job: GuardJob,
  nextPort: () => Promise<number>,
): Promise<{ postgres: GuardedPostgres; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await nextPort()
    const postgres = launchGuard(onPort(job, port))
    if (await postgres.untilReady()) return { postgres, port }
    if (attempt < PORT_ATTEMPTS && !(await isFreePort(port))) continue
    throw new StartupError(
      `The embedded Postgres did not start (${postgres.lastWords()}). ` +
        `Its log is ${logPathOf(job.home)}. You can also set DATABASE_URL to a Postgres of yours.`,
    )
  }
}

async function expectWelcome(url: string, postgres: GuardedPostgres): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  try {
    await client.connect()
    await client.end()
  } catch (error) {
    postgres.release()
    await postgres.ended
    throw new StartupError(
      `The embedded Postgres refuses the connection (${(error as Error).message}). ` +
        `Its password is in the file ${PASSWORD} of the data folder: restore it, or remove the data folder to start empty.`,
    )
  }
}

function rethrowExplained(error: unknown): never {
  if (error instanceof StartupError) throw error
  throw new StartupError(
    `The embedded Postgres cannot be set up (${(error as Error).message}). ` +
      'Mend that, name another folder in TOKEN_VAULT_DATA_DIR, or set DATABASE_URL to a Postgres of yours.',
  )
}

function onPort(job: GuardJob, port: number): GuardJob {
  return { ...job, settings: { ...job.settings, port: String(port) } }
}

function newPassword(): string {
  return randomBytes(32).toString('base64url')
}

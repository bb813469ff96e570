/**
 * A program of its own between the service and its Postgres. It leads a session of its own, so that no signal to
 * the service's process group reaches Postgres, and stops Postgres when its standard input ends: the kernel sees
 * to that however the service dies. The first line of the input is the {@link GuardJob}; the only line of output
 * is the process id of Postgres. It exits with Postgres.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  fchownSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresBinaries } from './binaries.ts'
import { syncFolder } from './data-folder.ts'
import { tryFileLock } from './file-lock.ts'
import { endPredecessor } from './postmaster-pid.ts'
import type { PostgresUser } from './user.ts'

export interface GuardJob extends PostgresBinaries {
  /** Holds the cluster; removed in the end where it is ephemeral. */
  home: string
  ephemeral: boolean
  cluster: string
  /** Null where Postgres runs as the same user as the guard. */
  user: PostgresUser | null
  settings: Record<string, string>
  /** The superuser's, of a cluster that this job makes. */
  password: string
  /** May it make the cluster? Not when one was there a moment ago. */
  mayInit: boolean
}

const PREDECESSOR_PATIENCE_MS = 25_000
const FAST_SHUTDOWN_MS = 10_000
const IMMEDIATE_SHUTDOWN_MS = 5000
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' }

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
// The service may be gone when Postgres' id is written.
process.stdout.on('error', () => undefined)

const serviceGone = new AbortController()
const input = createInterface({ input: process.stdin })
input.once('line', (line) => void guard(JSON.parse(line) as GuardJob, serviceGone.signal))
input.once('close', () => {
  serviceGone.abort()
})

async function guard(job: GuardJob, stopping: AbortSignal): Promise<void> {
  try {
    await waitForPredecessor(job, stopping)
    if (!existsSync(job.cluster)) await initCluster(job, stopping)
    if (!stopping.aborted) await runPostgres(job, stopping)
  } catch (error) {
    console.error(`guard: ${(error as Error).message}`)
    process.exitCode = 1
  }
  if (job.ephemeral && stopping.aborted) rmSync(job.home, { recursive: true, force: true, maxRetries: 10 })
  process.exit()
}

// A guard whose service was killed goes on until its Postgres has stopped; one that was killed itself leaves
// Postgres behind.
async function waitForPredecessor(job: GuardJob, stopping: AbortSignal): Promise<void> {
  const endAt = performance.now() + PREDECESSOR_PATIENCE_MS
  while (tryFileLock(join(job.home, 'postgres.lock')) === null) {
    if (performance.now() > endAt) throw new Error(`${job.home} is in use by another service`)
    stopping.throwIfAborted()
    await sleep(20)
  }
  await endPredecessor(job.cluster)
}

// The cluster gets its name when it is whole, so that a crash at any moment leaves none or a good one.
async function initCluster(job: GuardJob, stopping: AbortSignal): Promise<void> {
  if (!job.mayInit) throw new Error(`${job.cluster} is gone`)
  const prefix = `${job.cluster}.new-`
  for (const name of readdirSync(job.home)) {
    const path = join(job.home, name)
    if (path.startsWith(prefix)) rmSync(path, { recursive: true, force: true })
  }
  const staging = prefix + String(process.pid)
  const passwordFile = `${staging}.password`
  try {
    writeFor(job.user, passwordFile, job.password)
    await runInitdb(job, staging, passwordFile, stopping)
  } finally {
    rmSync(passwordFile, { force: true })
  }
  stopping.throwIfAborted()
  renameSync(staging, job.cluster)
  syncFolder(job.home)
}

// By descriptor: in a folder of that user's, root must not change the owner of whatever has the name by then.
function writeFor(user: PostgresUser | null, path: string, text: string): void {
  const descriptor = openSync(path, 'wx', 0o600)
  if (user !== null) fchownSync(descriptor, user.uid, user.gid)
  writeSync(descriptor, text)
  closeSync(descriptor)
}

async function runInitdb(
  job: GuardJob,
  staging: string,
  passwordFile: string,
  stopping: AbortSignal,
): Promise<void> {
  const options = [`--pgdata=${staging}`, '--username=postgres', `--pwfile=${passwordFile}`]
  options.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions')
  if (job.ephemeral) options.push('--no-sync')
  stopping.throwIfAborted()
  const child = run(job.initdb, options, job.user)
  // On this signal it removes what it made, and ends.
  const cancel = () => void child.kill('SIGTERM')
  stopping.addEventListener('abort', cancel, { once: true })
  await exitOf(child, 'initdb')
  stopping.removeEventListener('abort', cancel)
}

async function runPostgres(job: GuardJob, stopping: AbortSignal): Promise<void> {
  const settings = Object.entries(job.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = run(job.postgres, ['-D', job.cluster, ...settings], job.user)
  const shutDown = () => {
    child.kill('SIGINT')
    setTimeout(() => child.kill('SIGQUIT'), FAST_SHUTDOWN_MS).unref()
    setTimeout(() => child.kill('SIGKILL'), FAST_SHUTDOWN_MS + IMMEDIATE_SHUTDOWN_MS).unref()
  }
  stopping.addEventListener('abort', shutDown, { once: true })
  if (child.pid !== undefined) process.stdout.write(`${child.pid}\n`)
  await exitOf(child, 'postgres')
}

function run(program: string, options: string[], user: PostgresUser | null): ChildProcess {
  return spawn(program, options, {
    ...user,
    cwd: '/',
    env: ENVIRONMENT,
    stdio: ['ignore', 2, 2],
  })
}

async function exitOf(child: ChildProcess, name: string): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (code !== 0) throw new Error(`${name} ended with ${signal ?? `exit code ${code ?? ''}`}`)
}

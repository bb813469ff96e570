import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What Postgres writes of itself into `postmaster.pid`. */
export interface Postmaster {
  pid: number
  port: number
  ready: boolean
}

const FILE = 'postmaster.pid'
const PORT_LINE = 3
const STATUS_LINE = 7
const PATIENCE_MS = 8000

// No system gives out so high an id, and it is at least as long as the one that it overwrites.
const NOBODYS_PID = '2147483647\n'

export function readPostmaster(cluster: string): Postmaster | null {
  try {
    const lines = readFileSync(join(cluster, FILE), 'utf8').split('\n')
    return {
      pid: Number(lines[0]),
      port: Number(lines[PORT_LINE]),
      ready: lines[STATUS_LINE]?.trim() === 'ready',
    }
  } catch {
    return null
  }
}

/** Ends a Postgres that outlived its guard, so that the cluster can be started again. */
export async function endPredecessor(cluster: string): Promise<void> {
  const left = readPostmaster(cluster)
  if (left === null) return
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (await hasEnded(left.pid, cluster, signal)) break
  }
  // An unrelated process, or one that is dead and waits for its parent to notice.
  if (readPostmaster(cluster) !== null && isAlive(left.pid)) disown(cluster)
}

async function hasEnded(pid: number, cluster: string, signal: NodeJS.Signals): Promise<boolean> {
  const endAt = performance.now() + PATIENCE_MS
  if (serves(pid, cluster)) process.kill(pid, signal)
  while (serves(pid, cluster)) {
    if (performance.now() > endAt) return false
    await sleep(20)
  }
  return true
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Is that process, whose id may have gone to somebody else, the Postgres of this cluster? */
export function serves(pid: number, cluster: string): boolean {
  try {
    return commandLine(pid).includes(` -D ${cluster} `)
  } catch {
    return false
  }
}

// Not its working folder: root in a container may not look at that of another user's process.
function commandLine(pid: number): string {
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  return execFileSync('ps', ['-o', 'command=', '-p', `${pid}`], { encoding: 'utf8' })
}

// Postgres would wait for an unrelated process. Removing the file would do too, but lose the key of the shared
// memory, by which Postgres makes sure that no backend of the last run is still writing.
function disown(cluster: string): void {
  const descriptor = openSync(join(cluster, FILE), constants.O_RDWR | constants.O_NOFOLLOW)
  const rest = readFileSync(descriptor, 'utf8').split('\n').slice(1).join('\n')
  writeSync(descriptor, NOBODYS_PID + rest, 0)
  closeSync(descriptor)
}

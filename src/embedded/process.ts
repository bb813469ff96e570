import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { GuardJob } from './guard.ts'
import { readPostmaster } from './postmaster-pid.ts'

/** A guard and its Postgres, from their start to their common end. */
export interface GuardedPostgres {
  /** Resolves when both are gone. */
  readonly ended: Promise<void>
  /** True when Postgres takes connections, false when it ended before it did. */
  untilReady(): Promise<boolean>
  /** The last that Postgres and the guard said until they ended. */
  lastWords(): string
  /** Tells the guard to end it all; {@link ended} says when that is done. */
  release(): void
}

const LAST_WORDS_BYTES = 600
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
const STABLE_MS = 60_000
// Lies beside this module as source and as build output alike.
const GUARD = fileURLToPath(new URL(`./guard${extname(import.meta.url)}`, import.meta.url))

/** The log of the Postgres in that home. */
export function logPathOf(home: string): string {
  return join(home, 'postgres.log')
}

export function launchGuard(job: GuardJob): GuardedPostgres {
  const log = openLog(job.home)
  const guard = spawn(process.execPath, [GUARD], {
    cwd: '/',
    // No NODE_OPTIONS: a debugger's port, for one, is not to be shared.
    env: {},
    stdio: ['pipe', 'pipe', log.descriptor],
    detached: true,
  }) as ChildProcessByStdio<Writable, Readable, null>
  // A guard that is gone already shows by its end.
  guard.stdin.on('error', () => undefined)
  guard.stdin.write(`${JSON.stringify(job)}\n`)
  const postgres: { pid: number | null } = { pid: null }
  createInterface({ input: guard.stdout }).once('line', (line) => (postgres.pid = Number(line)))

  const state = { over: false, lastWords: '' }
  const ended = once(guard, 'close')
    .catch((error: unknown) => (state.lastWords = (error as Error).message))
    .then(() => {
      state.over = true
      state.lastWords += log.close()
    })
  return {
    ended,
    async untilReady() {
      while (!state.over) {
        const postmaster = readPostmaster(job.cluster)
        // The file of a Postgres that was killed says that it is ready, too.
        if (postmaster?.ready && postmaster.pid === postgres.pid) return true
        await sleep(10)
      }
      return false
    },
    lastWords: () => state.lastWords,
    release: () => void guard.stdin.end(),
  }
}

/** Starts Postgres again whenever it ended by itself, until it is told to stop. */
export function keepRunning(
  first: GuardedPostgres,
  relaunch: () => GuardedPostgres,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let current = first
  const watch = async () => {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const launchedAt = performance.now()
      await current.ended
      if (performance.now() - launchedAt > STABLE_MS) pauseMs = FIRST_PAUSE_MS
      await sleep(pauseMs, null, { signal: stopping.signal })
      try {
        current = relaunch()
      } catch {
        // The home cannot be used at this moment, such as on a full disk: the next turn tries again.
      }
    }
  }
  // Only the end of the pause by stop() rejects.
  const watching = watch().catch(() => undefined)
  return {
    async stop() {
      stopping.abort()
      current.release()
      await current.ended
      await watching
    },
  }
}

interface Log {
  descriptor: number
  /** Returns the end of what was written since it was opened. An ephemeral one has lost its name by then. */
  close(): string
}

function openLog(home: string): Log {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
  const descriptor = openSync(logPathOf(home), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
  const openedAt = fstatSync(descriptor).size
  return {
    descriptor,
    close() {
      try {
        return endOf(descriptor, openedAt).trim().split('\n').slice(-3).join(' / ')
      } finally {
        closeSync(descriptor)
      }
    },
  }
}

/** Of what was written from that size on; of all there is where the operator truncated the file since. */
function endOf(descriptor: number, openedAt: number): string {
  const { size } = fstatSync(descriptor)
  const written = size < openedAt ? size : size - openedAt
  const buffer = Buffer.alloc(Math.min(written, LAST_WORDS_BYTES))
  const length = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
  return buffer.toString('utf8', 0, length)
}

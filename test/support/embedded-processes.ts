import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { EmbeddedPostgresOptions } from '../../src/embedded/embedded-postgres.ts'

/** A process that has a data folder and an embedded Postgres, as a service has. */
export interface Holder {
  pid: number
  /** What it says when it is ready. Rejects where it does not get ready. */
  report(): Promise<HolderReport>
  /** As a crash would. */
  kill(): void
  /** As a service does that is told to stop. */
  end(): Promise<void>
}

interface HolderReport {
  url: string
  directory: string
}

const HOLDER = fileURLToPath(new URL('./embedded-holder.ts', import.meta.url))

export interface HolderPlace {
  /** The program, where it is not the one beside this module. */
  program?: string
  /** Whom it runs as, where that is not this process' user. */
  uid?: number
  tmpdir: string
}

export function startHolder(options: EmbeddedPostgresOptions, place: HolderPlace): Holder {
  const { program = HOLDER, uid, tmpdir } = place
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
    env: { TMPDIR: tmpdir, PATH: process.env['PATH'] },
    cwd: '/',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const ended = once(child, 'close')
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  return {
    pid: child.pid ?? 0,
    async report() {
      const said = JSON.parse((await line)[0]) as HolderReport | { fault: string }
      if ('fault' in said) throw new Error(said.fault)
      return said
    },
    kill: () => void child.kill('SIGKILL'),
    async end() {
      child.stdin.end()
      await ended
    },
  }
}

export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** The id of the cluster's Postgres, by its own account. */
export function postgresPidOf(directory: string): number {
  return parseInt(readFileSync(join(directory, 'postmaster.pid'), 'utf8'), 10)
}

export function isAlive(pid: number): boolean {
  try {
    return !statusOf(pid).state.startsWith('Z')
  } catch {
    return false
  }
}

/** The id of the process that started this one. */
export function parentOf(pid: number): number {
  return statusOf(pid).parent
}

function statusOf(pid: number): { state: string; parent: number } {
  if (process.platform === 'linux') {
    const [, state = '', parent] =
      /^State:\s+(\S).*^PPid:\s+(\d+)/ms.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return { state, parent: Number(parent) }
  }
  const row = execFileSync('ps', ['-o', 'stat=,ppid=', '-p', String(pid)], { encoding: 'utf8' })
  const [state = '', parent] = row.trim().split(/\s+/)
  return { state, parent: Number(parent) }
}

/** Tries until it neither throws nor gives false; gives up after a while. */
export async function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
  for (const endAt = performance.now() + 15_000; ;) {
    try {
      const result = await attempt()
      if (result !== false || performance.now() > endAt) return result
    } catch (error) {
      if (performance.now() > endAt) throw error
    }
    await sleep(10)
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/embedded/free-port.ts'
import { NODE_FLAGS } from './node-flags.ts'

/** The service as a process. */
export interface Vault {
  pid: number
  port: number
  /** From its start to the first answer that it is ready. */
  readyMs: number
  /** A figure of its own `/metrics`; NaN where it has none of that name. */
  metric(name: string): Promise<number>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  stop(): Promise<void>
}

export interface VaultSettings {
  databaseUrl: string
  masterKeys: string
  providersFile: string
  /** For the log and the audit log. */
  folder: string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PROGRAM = [...NODE_FLAGS, join(ROOT, 'dist/cli.js')]
const READY_WITHIN_MS = 60_000
const POLL_MS = 5
let started = 0

/** As an operator would run it: what the image runs, the log at its usual level, the audit log in a file. */
export async function startVault(settings: VaultSettings): Promise<Vault> {
  started += 1
  const port = await freePort()
  const logFile = join(settings.folder, `vault-${started}.log`)
  const log = openSync(logFile, 'a')
  const startedAt = performance.now()
  const process_ = spawn(process.execPath, PROGRAM, {
    env: environment(settings, port, join(settings.folder, `audit-${started}.log`)),
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = once(process_, 'exit')
  const url = `http://127.0.0.1:${port}`
  const deadline = startedAt + READY_WITHIN_MS
  while (!(await isReady(url))) {
    if (process_.exitCode !== null || performance.now() > deadline) {
      process_.kill('SIGKILL')
      throw new Error(`the service did not start: ${readFileSync(logFile, 'utf8')}`)
    }
    await pause(POLL_MS)
  }
  return {
    pid: process_.pid ?? 0,
    port,
    readyMs: performance.now() - startedAt,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    },
    signal: (signal) => void process_.kill(signal),
    async stop() {
      process_.kill('SIGTERM')
      await ended
    },
  }
}

function environment(settings: VaultSettings, port: number, auditLog: string): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return {
    ...{ PATH, HOME, TMPDIR, NODE_ENV: 'production', PORT: String(port) },
    DATABASE_URL: settings.databaseUrl,
    TOKEN_VAULT_MASTER_KEYS: settings.masterKeys,
    TOKEN_VAULT_PROVIDERS_FILE: settings.providersFile,
    TOKEN_VAULT_AUDIT_LOG: auditLog,
  }
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`).catch(() => null)
  await answer?.body?.cancel()
  return answer?.ok === true
}

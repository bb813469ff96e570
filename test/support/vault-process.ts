import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NODE_FLAGS } from '../../bench/processes/node-flags.ts'

export const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const READY_WITHIN_MS = 60_000

/** Settings of a vault, and where to reach it: enough to start it again as the same one. */
export interface VaultSettings {
  url: string
  apiKey: string
  env: Record<string, string>
  /** Of its own, for files. */
  folder: string
  /** Removes the files made for it. */
  drop(): Promise<void>
}

export interface VaultProcess {
  pid: number
  /** All that it has written so far, standard output and error. */
  output(): string
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** A port of 127.0.0.1 that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Settings for a vault over this database, with new keys; `env` adds to them or overrides. */
export async function vaultSettings(
  databaseUrl: string,
  providers: object[] = [],
  env: Record<string, string> = {},
): Promise<VaultSettings> {
  const folder = await mkdtemp(join(tmpdir(), 'token-vault-'))
  const providersFile = join(folder, 'providers.json')
  await writeFile(providersFile, JSON.stringify({ providers }))
  const port = await freePort()
  const apiKey = `tv_bootstrap_${randomBytes(32).toString('base64url')}`
  return {
    url: `http://127.0.0.1:${port}`,
    apiKey,
    folder,
    env: {
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      TOKEN_VAULT_MASTER_KEYS: `test:${randomBytes(32).toString('base64')}`,
      TOKEN_VAULT_BOOTSTRAP_KEY: apiKey,
      TOKEN_VAULT_PROVIDERS_FILE: providersFile,
      LOG_LEVEL: 'info',
      ...env,
    },
    drop: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * Starts the service as a process and waits until it is ready; rejects with its output when it ends instead.
 * `program` is what Node is to run in place of the service's own, `stdout` the descriptor that it writes to in place of
 * a pipe that is read.
 */
export async function startVaultProcess(
  { url, env }: VaultSettings,
  program: string[] = [CLI],
  stdout: 'pipe' | number = 'pipe',
): Promise<VaultProcess> {
  const child = spawn(process.execPath, [...NODE_FLAGS, ...program], {
    env: { ...inherited(), ...env },
    stdio: ['ignore', stdout, 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer) => (output += chunk.toString())
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', collect)
  try {
    await untilReady(child, url)
  } catch (error) {
    await end(child, 'SIGKILL')
    throw new Error(`the vault did not start:\n${output}`, { cause: error })
  }
  return {
    pid: child.pid ?? 0,
    output: () => output,
    stop: () => end(child, 'SIGTERM'),
    kill: async () => {
      await end(child, 'SIGKILL')
    },
  }
}

/** The environment without settings of the vault that the developer's shell may have. */
function inherited(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return { PATH, HOME, TMPDIR }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  let said = 'nothing'
  while (Date.now() < deadline) {
    if (hasEnded(child)) throw new Error(`it ended with ${String(child.exitCode ?? child.signalCode)}`)
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer?.ok === true) return
    said = (await answer?.text().catch(() => null)) ?? said
    await pause(50)
  }
  throw new Error(`not ready after ${READY_WITHIN_MS} ms: ${said}`)
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  if (!hasEnded(child)) {
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  return child.exitCode
}

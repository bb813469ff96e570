import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** The command line as a user runs it, at the head of a process group of its own. */
export interface CommandLine {
  pid: number
  stdout(): string
  stderr(): string
  /** Resolves when it says so, on standard output; rejects when it ends first. */
  says(text: string): Promise<void>
  /** To the whole group, as a terminal does on Ctrl-C. */
  interruptGroup(): void
  signal(name: NodeJS.Signals): void
  /** The exit code; null where a signal ended it. */
  ended: Promise<number | null>
}

const running = new Set<{ end(): Promise<unknown> }>()

export function tokenVault(args: string[], env: Record<string, string>, cwd = '/'): CommandLine {
  const { PATH = '', HOME = '/' } = process.env
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  const ended = once(child, 'close').then(() => {
    running.delete(entry)
    return child.exitCode
  })
  const entry = {
    end() {
      child.kill('SIGTERM')
      return ended
    },
  }
  running.add(entry)
  const pid = child.pid ?? 0
  return {
    pid,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (said.stdout.includes(text)) resolve()
        }
        child.stdout.on('data', look)
        look()
        void ended.then((code) => {
          reject(
            new Error(`ended with ${String(code)} and never said "${text}":\n${said.stdout}${said.stderr}`),
          )
        })
      }),
    interruptGroup: () => process.kill(-pid, 'SIGINT'),
    signal: (name) => child.kill(name),
    ended,
  }
}

/** Ends what a failed test left. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((command) => command.end()))
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { LogOutput } from '../telemetry/log-output.ts'

const MOST_LOG_MS = 3_000
const MOST_THREADS_MS = 500
const LOOK_AGAIN_MS = 10

/** Ends the process with its exit code, in 4 s at most: what its log does not take until then is lost. */
export async function endProcess(output: LogOutput): Promise<never> {
  await output.end(MOST_LOG_MS)
  const endAt = performance.now() + MOST_THREADS_MS
  while (isThreadBusy() && performance.now() < endAt) await sleep(LOOK_AGAIN_MS)
  if (isThreadBusy()) leaveThreads()
  return process.exit()
}

/** One that writes to a terminal which was stopped, or to a disk that hangs, does not come back. */
function isThreadBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfo|GetNameInfo)/.test(name))
}

/**
 * `process.exit` waits for all threads, without a limit. Only another program in the place of this one, or a signal,
 * ends them; the program keeps the exit code.
 */
function leaveThreads(): void {
  const code = Number(process.exitCode ?? 0)
  process.execve?.(process.execPath, [process.execPath, '--eval', `process.exit(${code})`], {})
  process.kill(process.pid, 'SIGKILL')
}

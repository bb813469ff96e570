import type { Clock } from '../domain/clock.ts'
import type { Readiness } from './routes/service.ts'

const BELIEVED_MS = 1_000

/**
 * Anybody may ask, however often: who asks while a check is under way waits for that one, and that all was well is
 * believed for a second.
 */
export function shareReadiness(check: Readiness, clock: Clock): Readiness {
  let running: Promise<void> | null = null
  let wellAtMs = -Infinity
  const run = async () => {
    const startedMs = clock.monotonicMs()
    await check()
    wellAtMs = startedMs
  }
  return () => {
    if (clock.monotonicMs() - wellAtMs < BELIEVED_MS) return Promise.resolve()
    running ??= run().finally(() => (running = null))
    return running
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { StartupError } from '../domain/errors.ts'
import type { Database } from '../store/database.ts'
import { reasonOf } from './database-faults.ts'

const PATIENCE_MS = 10_000
const RETRY_MS = 250
const NO_ANSWER = 'no answer'

/**
 * Waits until Postgres takes writes: it may be starting beside the service.
 * @throws StartupError after 10 s
 */
export async function waitForDatabase(database: Pick<Database, 'ping'>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  let reason = NO_ANSWER
  for (;;) {
    const error = await failureOf(database.ping(), deadlineMs - performance.now())
    if (error === null) return
    // The last try has hardly any time: what an earlier one was told says more.
    if (error !== NO_ANSWER) reason = error
    if (performance.now() + RETRY_MS >= deadlineMs) {
      throw new StartupError(
        `DATABASE_URL: Postgres cannot be used (${reason}): check host, port, user, password and database, and that it runs and takes writes`,
      )
    }
    await sleep(RETRY_MS)
  }
}

/** Why it failed; null where it did not. */
async function failureOf(attempt: Promise<void>, patienceMs: number): Promise<string | null> {
  const late = new AbortController()
  const timeout = sleep(patienceMs, NO_ANSWER, { signal: late.signal })
  try {
    return (await Promise.race([attempt, timeout])) ?? null
  } catch (error) {
    return reasonOf(error)
  } finally {
    late.abort()
    timeout.catch(() => undefined)
  }
}

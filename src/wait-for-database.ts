import { setTimeout as sleep } from 'node:timers/promises'
import { StartupError } from './domain/errors.ts'
import type { Database } from './store/database.ts'

const PATIENCE_MS = 10_000
const RETRY_MS = 250
/** What the codes of Postgres and of the network mean to an operator. */
const MEANINGS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host is unknown',
  EAI_AGAIN: 'the host is unknown',
  '28000': 'it does not let this user in',
  '28P01': 'it refuses the password',
  '3D000': 'it has no such database',
  '53300': 'it takes no more connections',
  '57P03': 'it is not ready',
}

/**
 * Waits until Postgres takes writes: it may be starting beside the service.
 * @throws StartupError after 10 s
 */
export async function waitForDatabase(database: Database): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const error = await reasonOf(database.ping(), deadlineMs - performance.now())
    if (error === null) return
    if (performance.now() + RETRY_MS >= deadlineMs) {
      throw new StartupError(
        `DATABASE_URL: Postgres cannot be reached (${error}): check host, port, user, password and database, and that it runs`,
      )
    }
    await sleep(RETRY_MS)
  }
}

/** Why it failed, in a word that holds no secret; null where it did not. */
async function reasonOf(attempt: Promise<void>, patienceMs: number): Promise<string | null> {
  const late = new AbortController()
  const timeout = sleep(patienceMs, 'no answer', { signal: late.signal })
  try {
    return (await Promise.race([attempt, timeout])) ?? null
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) return /timeout|read-only|no writes/.exec(message)?.[0] ?? 'no connection'
    const meaning = MEANINGS[code]
    return meaning === undefined ? code : `${code}: ${meaning}`
  } finally {
    late.abort()
    timeout.catch(() => undefined)
  }
}

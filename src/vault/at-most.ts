import type { Clock } from '../domain/clock.ts'

/** A caller waits for a provider, on its own or another's behalf, only so long; the work goes on. */
export const MOST_WAIT_MS = 15_000

/** What the work comes to, or `late` where it takes too long: it goes on all the same. */
export async function atMost<Result>(
  clock: Clock,
  ms: number,
  work: Promise<Result>,
): Promise<Result | 'late'> {
  const waiting = new AbortController()
  const late = clock.sleep(ms, waiting.signal).then(() => 'late' as const)
  try {
    return await Promise.race([work, late])
  } finally {
    // Without a reason it would make an error, stack and all, for each of a crowd.
    waiting.abort('ended')
  }
}

import type { Clock } from '../domain/clock.ts'
import { remember } from '../domain/remember.ts'
import { wholeSeconds } from '../domain/time.ts'

/** How many requests a second each key may send. */
export interface RequestRate {
  /** Counts a request of a key. Null where it fits; otherwise in how many seconds the next one does. */
  count(keyId: string): number | null
}

const WINDOW_MS = 1_000
const COUNTED_KEYS = 10_000

/**
 * In memory, for this replica. A key's window begins with the first request after the last one; of too many keys the one
 * that was silent for longest is forgotten.
 */
export function createRequestRate(mostPerSecond: number, clock: Clock): RequestRate {
  const windows = new Map<string, { count: number; endsAtMs: number }>()
  return {
    count(keyId) {
      const nowMs = clock.monotonicMs()
      const last = windows.get(keyId)
      const isOpen = last !== undefined && last.endsAtMs > nowMs
      const window = isOpen ? last : { count: 0, endsAtMs: nowMs + WINDOW_MS }
      window.count += 1
      remember(windows, keyId, window, COUNTED_KEYS)
      return window.count > mostPerSecond ? wholeSeconds(window.endsAtMs - nowMs) : null
    },
  }
}

import type { Clock } from '../domain/clock.ts'
import { wholeSeconds } from '../domain/time.ts'

/** How many distinct tokens a key may see the secrets of within any hour. */
export interface DisclosureBudget {
  /** Spends on all of these tokens and returns null; or on none, and returns in how many seconds they may fit. */
  spend(keyId: string, tokenIds: readonly string[]): number | null
}

const WINDOW_MS = 3_600_000
const SWEPT_KEYS = 1_000

/** Counts for this replica, in memory; `most` null: without a limit. */
export function createDisclosureBudget(most: number | null, clock: Clock): DisclosureBudget {
  if (most === null) return { spend: () => null }
  /** Of each key the tokens that it saw within the hour, the one seen longest ago first. */
  const seenByKey = new Map<string, Map<string, number>>()

  const seenBy = (keyId: string, nowMs: number): Map<string, number> => {
    const seen = seenByKey.get(keyId) ?? new Map<string, number>()
    if (seenByKey.size >= SWEPT_KEYS && !seenByKey.has(keyId)) {
      for (const [id, tokens] of seenByKey) if (forgetOld(tokens, nowMs).size === 0) seenByKey.delete(id)
    }
    seenByKey.set(keyId, seen)
    return forgetOld(seen, nowMs)
  }

  return {
    spend(keyId, tokenIds) {
      const nowMs = clock.monotonicMs()
      const seen = seenBy(keyId, nowMs)
      const distinct = new Set(tokenIds)
      const surplus = seen.size + [...distinct].filter((id) => !seen.has(id)).length - most
      if (surplus > 0) return secondsUntilForgotten(seen, surplus, nowMs)
      for (const id of distinct) {
        seen.delete(id)
        seen.set(id, nowMs)
      }
      return null
    },
  }
}

function forgetOld(seen: Map<string, number>, nowMs: number): Map<string, number> {
  for (const [id, atMs] of seen) {
    if (nowMs - atMs < WINDOW_MS) break
    seen.delete(id)
  }
  return seen
}

/** When as many as are too many will have been forgotten; an hour where they can never fit. */
function secondsUntilForgotten(seen: Map<string, number>, surplus: number, nowMs: number): number {
  const atMs = [...seen.values()][surplus - 1] ?? nowMs
  return wholeSeconds(atMs + WINDOW_MS - nowMs)
}

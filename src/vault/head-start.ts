import type { Clock } from '../domain/clock.ts'
import { VaultError } from '../domain/errors.ts'
import { isForMasterKey } from '../domain/keyring.ts'

/**
 * When the storage comes back, those who have answers in hand store them first: only after this time does anybody take
 * over a lease that ran out meanwhile. An attempt to store may have waited 10 s for a connection before it is made anew.
 */
const HEAD_START_MS = 12_000
/**
 * After its own start, or a pause in which it did not look, a replica takes nothing over for so long: peers with an answer
 * in hand store it first. A longer time would keep replicas that restart often from ever taking over.
 */
const START_MS = 1_500
/** The refresher looks every half second, or as soon as a busy storage has answered: that took it up to 8 s. */
const MOST_UNSEEN_MS = 10_000

export interface HeadStart {
  /** Notes when the storage fails. */
  watch<Result>(work: Promise<Result>): Promise<Result>
  isOver(): boolean
  /** The refresher says that it looks for what is due: where it has not for a while, the process has stood still. */
  look(): void
}

export function createHeadStart(clock: Clock): HeadStart {
  let seenAtMs = clock.monotonicMs()
  let overAtMs = seenAtMs + START_MS
  return {
    async watch(work) {
      try {
        return await work
      } catch (error) {
        if (isAway(error)) overAtMs = clock.monotonicMs() + HEAD_START_MS
        throw error
      }
    },
    isOver: () => clock.monotonicMs() >= overAtMs,
    look() {
      const nowMs = clock.monotonicMs()
      if (nowMs - seenAtMs > MOST_UNSEEN_MS) overAtMs = Math.max(overAtMs, nowMs + START_MS)
      seenAtMs = nowMs
    },
  }
}

/** Where a master key is missing, the storage is there, and peers that have the key store their answers. */
function isAway(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'storage_unavailable' && !isForMasterKey(error)
}

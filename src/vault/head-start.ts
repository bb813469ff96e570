import type { Clock } from '../domain/clock.ts'

/**
 * When the storage comes back, those who have answers in hand store them first: only after this time does anybody take
 * over a lease that ran out meanwhile. Of the time before its own start a replica knows nothing.
 */
const HEAD_START_MS = 4_000

export interface HeadStart {
  /** Notes when the storage fails. */
  watch<Result>(work: Promise<Result>): Promise<Result>
  isOver(): boolean
}

export function createHeadStart(clock: Clock): HeadStart {
  let troubledMs = clock.monotonicMs()
  return {
    async watch(work) {
      try {
        return await work
      } catch (error) {
        troubledMs = clock.monotonicMs()
        throw error
      }
    },
    isOver: () => clock.monotonicMs() - troubledMs >= HEAD_START_MS,
  }
}

import type { Clock } from '../domain/clock.ts'

/** What slows a key that asks for too much. */
export type Brake = 'request_rate' | 'disclosure_budget'

/** Which brakes are closed, so that each closing is told of once and not with every refused request. */
export interface BrakeClosings {
  /** Closes the brake for this key and so long; false where it is closed already. */
  close(brake: Brake, keyId: string, forSeconds: number): boolean
  /** This closing could not be told of: the next refusal is the first again. */
  forget(brake: Brake, keyId: string): void
}

const SWEPT = 10_000

export function createBrakeClosings(clock: Clock): BrakeClosings {
  const closedUntilMs = new Map<string, number>()
  const keyOf = (brake: Brake, keyId: string) => `${brake} ${keyId}`
  return {
    close(brake, keyId, forSeconds) {
      const nowMs = clock.monotonicMs()
      const key = keyOf(brake, keyId)
      if ((closedUntilMs.get(key) ?? 0) > nowMs) return false
      if (closedUntilMs.size >= SWEPT) {
        for (const [other, untilMs] of closedUntilMs) if (untilMs <= nowMs) closedUntilMs.delete(other)
      }
      closedUntilMs.set(key, nowMs + forSeconds * 1000)
      return true
    },
    forget(brake, keyId) {
      closedUntilMs.delete(keyOf(brake, keyId))
    },
  }
}

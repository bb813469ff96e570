import type { Clock } from '../domain/clock.ts'
import type { EventStore } from '../domain/event-store.ts'
import type { SweepObserver } from '../domain/observer.ts'

/** Deletes old events in the background for as long as it runs. Any number of replicas may run one. */
export interface EventSweeper {
  start(): void
  stop(): void
}

interface EventSweeperParts {
  events: Pick<EventStore, 'sweep'>
  /** Events are kept for so long. */
  days: number
  clock: Clock
  random: () => number
  observer: SweepObserver
}

const MOST_PAUSE_MS = 3_600_000

export function createEventSweeper(parts: EventSweeperParts): EventSweeper {
  const { events, days, clock, random, observer } = parts
  const stopping = new AbortController()
  const { signal } = stopping

  /** Rests for as long as it works, so that half of its connection's time is left to others. */
  const sweep = async (): Promise<number> => {
    let deleted = 0
    let next: string | null = null
    do {
      const startedMs = clock.monotonicMs()
      const swept = await events.sweep(days, next)
      deleted += swept.deleted
      next = swept.next
      await clock.sleep(clock.monotonicMs() - startedMs, signal)
    } while (next !== null && !signal.aborted)
    return deleted
  }
  const run = async (): Promise<void> => {
    for (;;) {
      // Replicas that were started together do not sweep together.
      await clock.sleep(random() * MOST_PAUSE_MS, signal)
      if (signal.aborted) return
      try {
        observer.eventsSwept(await sweep())
      } catch (error) {
        observer.sweepFailed(error)
      }
    }
  }

  return {
    start: () => {
      void run()
    },
    stop: () => {
      stopping.abort()
    },
  }
}

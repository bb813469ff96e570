import type { Clock } from '../domain/clock.ts'
import type { RenewalObserver } from '../domain/observer.ts'
import type { Places } from './places.ts'
import type { Renewals } from './renewals.ts'

/** Renews due tokens in the background for as long as it runs. Any number of replicas may run one. */
export interface Refresher {
  start(): void
  /** Claims nothing any more; renewals under way go on. */
  stop(): void
}

interface RefresherParts {
  renewals: Renewals
  places: Places
  clock: Clock
  observer: RenewalObserver
}

const POLL_MS = 500
/** While more is due than there were places for, and few are given back. */
const FULL_POLL_MS = 20
/** Renewals that were stored together give back their places together. */
const GATHER_MS = 1

export function createRefresher({ renewals, places, clock, observer }: RefresherParts): Refresher {
  const stopping = new AbortController()
  const { signal } = stopping

  const look = async (): Promise<void> => {
    try {
      if (await renewals.renewDue()) {
        await Promise.race([places.givenBack(), clock.sleep(FULL_POLL_MS, signal)])
        await clock.sleep(GATHER_MS, signal)
      } else await clock.sleep(POLL_MS, signal)
    } catch (error) {
      observer.refresherFailed(error)
      await clock.sleep(POLL_MS, signal)
    }
  }
  const run = async (): Promise<void> => {
    while (!signal.aborted) await look()
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

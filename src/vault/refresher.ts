import type { Clock } from '../domain/clock.ts'
import type { Observer } from '../domain/observer.ts'
import type { Renewals } from './renewals.ts'

/** Renews due tokens in the background for as long as it runs. Any number of replicas may run one. */
export interface Refresher {
  start(): void
  /** Claims nothing any more; renewals under way go on. */
  stop(): void
}

export interface RefresherOptions {
  renewals: Renewals
  clock: Clock
  observer: Observer
}

const POLL_MS = 500
/** While more is due than there were places for. */
const FULL_POLL_MS = 20

export function createRefresher({ renewals, clock, observer }: RefresherOptions): Refresher {
  const stopping = new AbortController()

  /** Resolves with how long to wait before the next look. */
  const look = async (): Promise<number> => {
    try {
      return (await renewals.renewDue()) ? FULL_POLL_MS : POLL_MS
    } catch (error) {
      observer.refresherFailed(error)
      return POLL_MS
    }
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) await clock.sleep(await look(), stopping.signal)
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

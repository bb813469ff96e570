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
  observer: Observer
  /** Renewals under way at once. */
  concurrency: number
}

const POLL_MS = 500
/** With every place taken nothing is asked of the storage: only whether one is free again. */
const FULL_POLL_MS = 20

export function createRefresher({ renewals, observer, concurrency }: RefresherOptions): Refresher {
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const tick = async (): Promise<void> => {
    const free = concurrency - renewals.inFlight()
    const claimed = free > 0 ? await renewals.renewDue(free) : free
    schedule(claimed === free ? FULL_POLL_MS : POLL_MS)
  }
  const schedule = (delayMs: number): void => {
    if (stopped) return
    timer = setTimeout(() => {
      tick().catch((error: unknown) => {
        observer.refresherFailed(error)
        schedule(POLL_MS)
      })
    }, delayMs)
  }

  return {
    start: () => {
      schedule(0)
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

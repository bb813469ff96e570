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
}

const POLL_MS = 500
/** While more is due than there were places for. */
const FULL_POLL_MS = 20

export function createRefresher({ renewals, observer }: RefresherOptions): Refresher {
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const tick = async (): Promise<void> => {
    const more = await renewals.renewDue()
    schedule(more ? FULL_POLL_MS : POLL_MS)
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

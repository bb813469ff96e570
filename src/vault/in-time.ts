import type { Clock } from '../domain/clock.ts'

/** A caller waits for a provider, on its own or another's behalf, only so long; the work goes on. */
export const MOST_WAIT_MS = 15_000
/**
 * Callers who are released in one turn of the event loop: to resolve a crowd at once stalls every other request, and has
 * all of its answers in memory at a time.
 */
const LET_GO_TOGETHER = 50

interface Waiting<Result> {
  untilMs: number
  resolve: (result: Result | 'late') => void
  reject: (error: unknown) => void
}

/** Joins those who wait for the same work. */
type Join<Result> = () => Promise<Result | 'late'>

const crowds = new WeakMap<Promise<unknown>, Join<unknown>>()

/** What the work comes to, or `late` where it takes too long: it goes on all the same. */
export function inTime<Result>(clock: Clock, work: Promise<Result>): Promise<Result | 'late'> {
  const join = (crowds.get(work) as Join<Result> | undefined) ?? gather(clock, work)
  return join()
}

/** One timer serves them all. */
function gather<Result>(clock: Clock, work: Promise<Result>): Join<Result> {
  /** In the order in which they came: whose time is up first stands first. */
  const crowd: Waiting<Result>[] = []
  const ended = new AbortController()

  const watch = async (): Promise<void> => {
    while (crowd.length > 0 && !ended.signal.aborted) {
      const nowMs = clock.monotonicMs()
      const late = crowd.slice(0, LET_GO_TOGETHER).filter(({ untilMs }) => untilMs <= nowMs)
      for (const { resolve } of crowd.splice(0, late.length)) resolve('late')
      const [next] = crowd
      if (next !== undefined) await clock.sleep(Math.max(0, next.untilMs - nowMs), ended.signal)
    }
  }
  const letGo = async (tell: (one: Waiting<Result>) => void): Promise<void> => {
    // Without a reason it would make an error, stack and all.
    ended.abort('ended')
    while (crowd.length > 0) {
      crowd.splice(0, LET_GO_TOGETHER).forEach(tell)
      if (crowd.length > 0) await clock.sleep(0)
    }
    crowds.delete(work)
  }
  const join = () =>
    new Promise<Result | 'late'>((resolve, reject) => {
      crowd.push({ untilMs: clock.monotonicMs() + MOST_WAIT_MS, resolve, reject })
      if (crowd.length === 1) void watch()
    })

  crowds.set(work, join)
  work.then(
    (result) =>
      letGo(({ resolve }) => {
        resolve(result)
      }),
    (error: unknown) =>
      letGo(({ reject }) => {
        reject(error)
      }),
  )
  return join
}

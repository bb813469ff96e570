const GRACE_MS = 200

export interface DeferredTimer {
  /** Starts anew. */
  start(limitMs: number): void
  stop(): void
}

/**
 * Calls back some time after its limit. When a process wakes up from a pause, its timers fire before its sockets are
 * read: without the grace and the full turns of the event loop after it, an answer that lies in the socket, with the
 * only copy of a new refresh token, would be thrown away.
 */
export function createDeferredTimer(onTimeout: () => void): DeferredTimer {
  let timer: NodeJS.Timeout | undefined
  let immediate: NodeJS.Immediate | undefined
  const stop = () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
  const turn = (then: () => void) => {
    immediate = setImmediate(then)
  }
  const grace = () => {
    timer = setTimeout(() => {
      turn(() => {
        turn(onTimeout)
      })
    }, GRACE_MS)
  }
  return {
    start(limitMs) {
      stop()
      timer = setTimeout(grace, limitMs)
    },
    stop,
  }
}

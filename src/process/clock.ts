import type { Clock } from '../domain/clock.ts'

/** Time as the process has it. A renewal sleeps and is woken once: timers' own promise would make two errors of that. */
export const clock: Clock = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal?.addEventListener('abort', wake)
      if (signal?.aborted === true) wake()
    }),
}

import type { Clock } from '../../src/domain/clock.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A process of the service, which may stand still for a while, or end without a word. */
export class Process {
  readonly name: string
  readonly clock: Clock
  readonly #time: VirtualTime
  readonly #onCrash: (() => void)[]
  readonly #startedMs: number
  #crashed = false
  #pausedUntilMs = 0
  #lastPausedMs: number | null = null

  constructor(name: string, time: VirtualTime, onCrash: () => void) {
    this.name = name
    this.#time = time
    this.#onCrash = [onCrash]
    this.#startedMs = time.nowMs
    this.clock = {
      monotonicMs: () => time.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted === true) resolve()
          signal?.addEventListener(
            'abort',
            () => {
              resolve()
            },
            { once: true },
          )
          this.deliver(ms, resolve)
        }),
    }
  }

  onCrash(then: () => void): void {
    if (this.#crashed) then()
    else this.#onCrash.push(then)
  }

  crash(): void {
    if (this.#crashed) return
    this.#crashed = true
    for (const then of this.#onCrash) then()
  }

  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#time.nowMs + ms)
    this.#lastPausedMs = this.#pausedUntilMs
  }

  /** Has it stood still, or come to be, or ended, since then? */
  wasDisturbedSince(ms: number): boolean {
    return this.#crashed || this.#startedMs >= ms || (this.#lastPausedMs !== null && this.#lastPausedMs >= ms)
  }

  /** Something reaches it: when it wakes up, where it stands still; never, where it has ended. */
  deliver(delayMs: number, run: () => void): void {
    this.#time.after(delayMs, () => {
      if (this.#crashed) return
      const sleepsMs = this.#pausedUntilMs - this.#time.nowMs
      if (sleepsMs > 0) this.deliver(sleepsMs, run)
      else run()
    })
  }
}

interface Happening {
  atMs: number
  run: () => void
}

/** Time that passes as fast as it is computed. What is due at one moment happens in the order in which it was planned. */
export class VirtualTime {
  nowMs = 0
  readonly #planned: Happening[] = []

  after(delayMs: number, run: () => void): void {
    const atMs = this.nowMs + Math.max(0, delayMs)
    this.#planned.splice(this.#placeOf(atMs), 0, { atMs, run })
  }

  /** Lets happen what is planned until then, or until `isDone`; whoever awaits has gone on before the next of it. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    await settled()
    while (!isDone()) {
      const next = this.#planned.at(-1)
      if (next === undefined || next.atMs > untilMs) break
      this.#planned.pop()
      this.nowMs = next.atMs
      next.run()
      await settled()
    }
    if (!isDone()) this.nowMs = Math.max(this.nowMs, untilMs)
  }

  /** The latest stands first: before it and all that is planned for the same moment. */
  #placeOf(atMs: number): number {
    let [low, high] = [0, this.#planned.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#planned[middle]?.atMs ?? 0) > atMs) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Nothing that the simulation runs waits for anything but promises: a turn of the event loop settles them all. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

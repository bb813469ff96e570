/** What goes wrong, and how often: drawn anew at every step of a run, until there has been enough of it. */
export class Trouble {
  readonly #random: () => number
  readonly #rate: number
  #left: number

  constructor(random: () => number, rate: number, most: number) {
    this.#random = random
    this.#rate = rate
    this.#left = most
  }

  /** One of these, or nothing. */
  draw<Kind>(...kinds: readonly Kind[]): Kind | null {
    if (this.#left === 0 || this.#random() >= this.#rate) return null
    this.#left -= 1
    return kinds[Math.floor(this.#random() * kinds.length)] ?? null
  }

  end(): void {
    this.#left = 0
  }

  between(least: number, most: number): number {
    return least + this.#random() * (most - least)
  }
}

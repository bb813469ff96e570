/**
 * The renewals that this replica may have under way at once. A provider has at most three quarters of the places that
 * the others leave: of 32, one that hangs leaves eight, two leave two, and four none.
 */
export interface Places {
  /** Takes three quarters of the free places for as long as due tokens are looked for. */
  reserve(): Reservation
  /** Resolves with a place at this provider. Who waits is served in turn, before the next reservation. */
  take(provider: string): Promise<void>
  give(provider: string): void
  /** Resolves when half of all places have been given back from now on: a search costs as much for one token as for many. */
  givenBack(): Promise<void>
}

interface Reservation {
  total: number
  /** How many of them may go to this provider. */
  of(provider: string): number
  /** Keeps one place for each provider named, and gives the others back. */
  keep(providers: string[]): void
}

const shareOf = (places: number) => Math.max(1, Math.floor((places * 3) / 4))

export function createPlaces(most: number): Places {
  const taken = new Map<string, number>()
  const waiting: { provider: string; begin: () => void }[] = []
  let free = most
  let given = 0
  let searcher: { from: number; begin: () => void } | null = null

  const freeOf = (provider: string) => {
    const own = taken.get(provider) ?? 0
    return Math.min(free, Math.max(0, shareOf(free + own) - own))
  }
  const change = (provider: string, count: number) => {
    taken.set(provider, (taken.get(provider) ?? 0) + count)
    free -= count
  }
  const serve = () => {
    for (;;) {
      const next = waiting.findIndex(({ provider }) => freeOf(provider) > 0)
      const [served] = next < 0 ? [] : waiting.splice(next, 1)
      if (served === undefined) return
      change(served.provider, 1)
      served.begin()
    }
  }
  return {
    reserve() {
      const total = Math.min(free, shareOf(free))
      const limits = new Map(Array.from(taken.keys(), (provider) => [provider, freeOf(provider)]))
      free -= total
      return {
        total,
        of: (provider) => Math.min(total, limits.get(provider) ?? total),
        keep(providers) {
          free += total
          for (const provider of providers) change(provider, 1)
          serve()
        },
      }
    },
    take: (provider) =>
      new Promise((begin) => {
        waiting.push({ provider, begin })
        serve()
      }),
    give(provider) {
      change(provider, -1)
      given += 1
      serve()
      if (searcher !== null && given >= searcher.from) searcher.begin()
    },
    givenBack: () =>
      new Promise((begin) => {
        searcher = { from: given + Math.ceil(most / 2), begin }
      }),
  }
}

import { setTimeout as pause } from 'node:timers/promises'

/** What one contender did in one round. */
export interface Figures {
  perSecond: number
  /** Null where it was not asked one by one. */
  p50Ms: number | null
  p99Ms: number | null
  /** Of the contender's own process; null where that says nothing. */
  cpuSecondsPer1000: number | null
  rssMb: number | null
}

/** A line of the table. */
export interface Row extends Figures {
  name: string
}

/** One of those that are compared: each call is a round. */
export type Contender = () => Promise<Figures>

/**
 * Short rounds by turns, A B C A B C …: what else the machine does meanwhile falls on all of them alike. Resolves with
 * the figures of each, round by round.
 */
export async function byTurns<Name extends string>(
  contenders: Record<Name, Contender>,
  rounds: number,
): Promise<Record<Name, Figures[]>> {
  const names = Object.keys(contenders) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as Figures[]])) as Record<Name, Figures[]>
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      results[name].push(await contenders[name]())
      await pause(BREATH_MS)
    }
  }
  return results
}

/** Until what the last round left behind is done. */
const BREATH_MS = 100

/** NaN of none. */
export function median(figures: number[]): number {
  const sorted = figures.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2
}

/** Each figure by the median of its rounds. */
function medians(rounds: Figures[]): Figures {
  const ofSome = (pick: (figures: Figures) => number | null) => {
    const known = rounds.map(pick).filter((figure) => figure !== null)
    return known.length === 0 ? null : median(known)
  }
  return {
    perSecond: median(rounds.map(perSecondOf)),
    p50Ms: ofSome(({ p50Ms }) => p50Ms),
    p99Ms: ofSome(({ p99Ms }) => p99Ms),
    cpuSecondsPer1000: ofSome(({ cpuSecondsPer1000 }) => cpuSecondsPer1000),
    rssMb: ofSome(({ rssMb }) => rssMb),
  }
}

/** A line of the table for each contender. */
export function rowsOf(rounds: Record<string, Figures[]>): Row[] {
  return Object.entries(rounds).map(([name, figures]) => ({ name, ...medians(figures) }))
}

export const perSecondOf = (figures: Figures) => figures.perSecond
export const p50Of = (figures: Figures) => figures.p50Ms ?? NaN
export const p99Of = (figures: Figures) => figures.p99Ms ?? NaN

/** The median of the ratios of neighbouring rounds. */
export function ratio(ones: Figures[], others: Figures[], pick: (figures: Figures) => number): number {
  return median(
    ones.flatMap((one, round) => {
      const other = others[round]
      return other === undefined ? [] : [pick(one) / pick(other)]
    }),
  )
}

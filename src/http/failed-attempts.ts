import { isIPv6 } from 'node:net'
import type { Clock } from '../domain/clock.ts'
import { remember } from '../domain/remember.ts'

/** Remembers who sends keys that are none, so that guessing gets slower with every guess. */
export interface FailedAttempts {
  /** Notes a failure; how long its answer is to be kept back. */
  note(address: string): number
}

/** A client that was given a wrong key is no attack yet. */
const FREE = 20
const FIRST_DELAY_MS = 10
const MOST_DELAY_MS = 1_000
/** After so long a failure counts half. */
const HALF_LIFE_MS = 30_000
const ADDRESSES = 10_000

/** In memory, for this replica; of too many addresses the one that failed longest ago is forgotten. */
export function createFailedAttempts(clock: Clock): FailedAttempts {
  const failures = new Map<string, { count: number; atMs: number }>()
  return {
    note(address) {
      const atMs = clock.monotonicMs()
      const network = networkOf(address)
      const before = failures.get(network)
      const left = before === undefined ? 0 : before.count * 0.5 ** ((atMs - before.atMs) / HALF_LIFE_MS)
      remember(failures, network, { count: left + 1, atMs }, ADDRESSES)
      return left < FREE ? 0 : Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** (left - FREE))
    },
  }
}

/** Whoever has one address of IPv6 has all of its /64. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const before = head.split(':').filter((group) => group !== '')
  const after = (tail ?? '').split(':').filter((group) => group !== '')
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  return [...before, ...zeros, ...after].slice(0, 4).join(':')
}

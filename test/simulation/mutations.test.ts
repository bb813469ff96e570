import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { Token, TokenRef } from '../../src/domain/token.ts'
import type { Memory } from '../support/memory-store/memory.ts'
import { put, rowOf } from '../support/memory-store/memory.ts'
import type { Invariant } from './invariants.ts'
import { plans } from './plan.ts'
import type { Sabotage } from './replica.ts'
import { simulate } from './simulation.ts'

/** As many runs as may pass before what was taken away is missed. */
const MOST_RUNS = 2000
const SEED = 1

function change(memory: Memory, ref: TokenRef, to: (token: Token) => Partial<Token>): void {
  const row = rowOf(memory, ref)
  if (row !== null) put(memory, { ...row, token: { ...row.token, ...to(row.token) } })
}

/** Claims that see no lease. */
function withoutLease(store: TokenStore, memory: Memory): TokenStore {
  const unlease = () => {
    for (const { token } of memory.rows.values()) change(memory, token, () => ({ leaseUntil: null }))
  }
  return {
    ...store,
    claim(...asked) {
      unlease()
      return store.claim(...asked)
    },
    claimDue(...asked) {
      unlease()
      return store.claimDue(...asked)
    },
  }
}

/** Settlements that overwrite whatever has come meanwhile. */
function withoutFence(store: TokenStore, memory: Memory): TokenStore {
  return {
    ...store,
    settle(claim, settlement) {
      change(memory, claim.token, () => ({ fence: claim.fence, leaseUntil: claim.claimedAt }))
      return store.settle(claim, settlement)
    },
  }
}

const withoutGate: Sabotage['providers'] = (providers) => ({
  ...providers,
  refresh: (request) => providers.refresh({ ...request, sendBeforeMs: Infinity }),
})

const withoutFloor: Sabotage['providers'] = (providers) => {
  const all = () => providers.all().map((provider) => ({ ...provider, minIntervalSeconds: 0 }))
  return { ...providers, all, find: (name) => all().find((provider) => provider.name === name) ?? null }
}

/** The invariants that a run goes against, searched for until one of them is this. */
async function isMissed(sabotage: Sabotage, invariant: Invariant): Promise<boolean> {
  for (const plan of fc.sample(plans, { numRuns: MOST_RUNS, seed: SEED })) {
    const { violations } = await simulate(plan, sabotage)
    if (violations.some((violation) => violation.invariant === invariant)) return true
  }
  return false
}

describe('what the protocol cannot do without: taken away, it is missed', () => {
  test.each<[string, Sabotage, Invariant]>([
    ['the lease', { store: withoutLease }, 'one live lease per token'],
    ['the lease', { store: withoutLease }, 'no replaced refresh token is sent again outside its grace'],
    ['the fence', { store: withoutFence }, 'what is stored only grows'],
    ['the fence', { store: withoutFence }, 'an answer stays with its grant'],
    ['the gate', { providers: withoutGate }, 'no replaced refresh token is sent again outside its grace'],
    ['the floor', { providers: withoutFloor }, 'the floor is kept'],
  ])('%s', async (_what, sabotage, invariant) => {
    expect(await isMissed(sabotage, invariant)).toBe(true)
  })
})

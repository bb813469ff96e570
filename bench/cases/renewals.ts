import { setTimeout as pause } from 'node:timers/promises'
import { usageOf } from '../processes/usage.ts'
import type { Vault } from '../processes/vault.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atLeast } from '../report/case-result.ts'
import type { Figures } from '../rounds.ts'
import { byTurns, perSecondOf, median, ratio, rowsOf } from '../rounds.ts'
import { makeDue, untilRenewed } from '../world/due.ts'
import type { World } from '../world/world.ts'

const POLL_MS = 10
const DUE = { quick: 1_000, thorough: 5_000 }

/** How many renewals a replica makes, and two of them, when the provider takes no time. */
export async function renewals(world: World): Promise<CaseResult> {
  await world.provider({ delayMs: 0 })
  const second = await world.startVault(world.database)
  second.signal('SIGSTOP')
  const rounds = await byTurns(
    {
      'one replica': () => renewOnce(world, [world.vault]),
      'two replicas': async () => {
        second.signal('SIGCONT')
        const figures = await renewOnce(world, [world.vault, second])
        second.signal('SIGSTOP')
        return figures
      },
    },
    world.options.rounds,
  )
  second.signal('SIGCONT')
  await second.stop()
  const one = median(rounds['one replica'].map(perSecondOf))
  return {
    title: 'Renewals, the provider answers at once',
    rows: rowsOf(rounds),
    verdicts: [
      atLeast('one replica', one, 1_000, '/s'),
      atLeast('two to one', ratio(rounds['two replicas'], rounds['one replica'], perSecondOf), 1.7, ' ×'),
    ],
    notes: [
      'Replicas, Postgres and the provider share the cores of one machine: two replicas have no more of them than one.',
    ],
  }
}

/** The middle eight tenths of the renewals: how it starts and ends is not what lasts. */
async function renewOnce(world: World, replicas: Vault[]): Promise<Figures> {
  const count = world.options.quick ? DUE.quick : DUE.thorough
  const { answered: before } = await world.provider({ delayMs: 0 })
  const cpuOf = () => replicas.reduce((total, { pid }) => total + usageOf(pid).cpuSeconds, 0)
  const cpuBefore = cpuOf()
  await makeDue(world.database.db, { count, spreadSeconds: 0 })
  const startedAt = await untilAnswered(world, before + count * 0.1)
  const endedAt = await untilAnswered(world, before + count * 0.9)
  await untilRenewed(world.database.db)
  return {
    perSecond: (count * 0.8) / ((endedAt - startedAt) / 1000),
    p50Ms: null,
    p99Ms: null,
    cpuSecondsPer1000: ((cpuOf() - cpuBefore) / count) * 1000,
    rssMb: Math.max(...replicas.map(({ pid }) => usageOf(pid).rssMb)),
  }
}

async function untilAnswered(world: World, count: number): Promise<number> {
  for (;;) {
    const { answered } = await world.provider({ delayMs: 0 })
    if (answered >= count) return performance.now()
    await pause(POLL_MS)
  }
}

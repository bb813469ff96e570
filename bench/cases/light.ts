import { setTimeout as pause } from 'node:timers/promises'
import { underLoad } from '../contenders.ts'
import { usageOf } from '../processes/usage.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atMost } from '../report/case-result.ts'
import { byTurns, median, rowsOf } from '../rounds.ts'
import type { World } from '../world/world.ts'

const STARTS = { quick: 3, thorough: 5 }
const IDLE_MS = 5_000
const LAG = 'nodejs_eventloop_lag_p99_seconds'

/** What a replica takes of a machine: to start, while nobody asks, and under load. */
export async function light(world: World): Promise<CaseResult> {
  const readyMs = await startTimes(world)
  const vault = await world.startVault(world.database)
  await pause(IDLE_MS)
  const idleMb = usageOf(vault.pid).rssMb
  const finds = underLoad(world, vault, { request: 'find', connections: 32, keys: world.database.readers })
  const lagsMs: number[] = []
  const rounds = await byTurns(
    {
      'finds of a new replica': async () => {
        const figures = await finds()
        lagsMs.push((await vault.metric(LAG)) * 1000)
        return figures
      },
    },
    world.options.rounds,
  )
  await vault.stop()
  const rssMb = Math.max(...rounds['finds of a new replica'].map((figures) => figures.rssMb ?? NaN))
  return {
    title: 'One replica',
    rows: rowsOf(rounds),
    verdicts: [
      atMost('memory under load', rssMb, 200, ' MB'),
      atMost('p99 of the delay of the event loop', median(lagsMs), 50, ' ms'),
      atMost('memory when idle', idleMb, 90, ' MB'),
      atMost('from the start to ready', median(readyMs), 1_000, ' ms'),
    ],
    notes: [],
  }
}

async function startTimes(world: World): Promise<number[]> {
  const starts = world.options.quick ? STARTS.quick : STARTS.thorough
  const times: number[] = []
  for (let start = 0; start < starts; start += 1) {
    const vault = await world.startVault(world.database)
    times.push(vault.readyMs)
    await vault.stop()
  }
  return times
}

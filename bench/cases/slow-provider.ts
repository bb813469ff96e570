import { underLoad } from '../contenders.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atLeast, atMost, short } from '../report/case-result.ts'
import { byTurns, perSecondOf, ratio, rowsOf } from '../rounds.ts'
import { lagSeconds, makeDue, untilRenewed } from '../world/due.ts'
import type { World } from '../world/world.ts'

const PROVIDER_MS = 300
/** 100,000 an hour. */
const DUE_PER_SECOND = 100_000 / 3600
const MOST_LAG_SECONDS = 30
const STEADY_SECONDS = { quick: 5, thorough: 60 }
const BURST = { quick: 200, thorough: 2_000 }

/** 100,000 tokens due in an hour at a provider that takes its time: how late they are, and what reads notice. */
export async function slowProvider(world: World): Promise<CaseResult> {
  const { options, database, vault } = world
  const { db } = database
  await world.provider({ delayMs: PROVIDER_MS })
  const finds = underLoad(world, vault, { request: 'find', connections: 32, keys: database.readers })
  const rounds = await byTurns(
    {
      'finds alone': finds,
      'finds with renewals': async () => {
        await makeDue(db, atRate(options.secondsPerRound))
        const figures = await finds()
        await untilRenewed(db)
        return figures
      },
    },
    options.rounds,
  )
  await makeDue(db, atRate(options.quick ? STEADY_SECONDS.quick : STEADY_SECONDS.thorough))
  await untilRenewed(db)
  const steady = await lagSeconds(db)
  const count = options.quick ? BURST.quick : BURST.thorough
  await makeDue(db, { count, spreadSeconds: 0 })
  await untilRenewed(db)
  const burst = await lagSeconds(db)
  const kept = ratio(rounds['finds with renewals'], rounds['finds alone'], perSecondOf)
  return {
    title: `Renewals, the provider takes ${PROVIDER_MS} ms, 100,000 due in an hour`,
    rows: rowsOf(rounds),
    verdicts: [
      atMost('p99 of the lag', steady.p99, MOST_LAG_SECONDS, ' s'),
      atLeast('finds with renewals to finds alone', kept, 0.8, ' ×'),
    ],
    notes: [
      `The lag is from when a token falls due to when it is claimed: ${short(steady.p50)} s in the median.`,
      `Of ${short(count)} that fall due at once the last one is claimed ${short(burst.most)} s later.`,
    ],
  }
}

function atRate(seconds: number) {
  return { count: Math.ceil(seconds * DUE_PER_SECOND), spreadSeconds: seconds }
}

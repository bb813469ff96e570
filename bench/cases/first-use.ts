import { underLoad } from '../contenders.ts'
import type { CaseResult } from '../report/case-result.ts'
import { byTurns, rowsOf } from '../rounds.ts'
import type { World } from '../world/world.ts'

/** The first time within an hour that a token is given out, this is noted: what that costs. */
export async function firstUse(world: World): Promise<CaseResult> {
  const { database, vault } = world
  const common = { request: 'find', connections: 32, keys: database.readers } as const
  const unused = { first: database.used, tokens: database.tokens - database.used }
  const rounds = await byTurns(
    {
      'used within the hour': underLoad(world, vault, common),
      'not used yet': underLoad(world, vault, { ...common, ...unused, inTurn: true }),
    },
    world.options.rounds,
  )
  return {
    title: 'Find of a token that nobody has asked for lately',
    rows: rowsOf(rounds),
    verdicts: [],
    notes: [],
  }
}

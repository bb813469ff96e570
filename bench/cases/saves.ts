import { underLoad } from '../contenders.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atLeast } from '../report/case-result.ts'
import { byTurns, perSecondOf, ratio, rowsOf } from '../rounds.ts'
import type { World } from '../world/world.ts'

/** A user's new access token, as an application saves it that has refreshed by itself. */
export async function saves(world: World): Promise<CaseResult> {
  const common = { connections: 32, keys: world.database.writers }
  const rounds = await byTurns(
    {
      vault: underLoad(world, world.vault, { ...common, request: 'save' }),
      'hand-written upsert': underLoad(world, world.handWritten, { ...common, request: 'handWrittenSave' }),
    },
    world.options.rounds,
  )
  const toUpsert = ratio(rounds.vault, rounds['hand-written upsert'], perSecondOf)
  return {
    title: 'Save of a known user’s access token, 32 connections',
    rows: rowsOf(rounds),
    verdicts: [atLeast('throughput to the hand-written one', toUpsert, 0.8, ' ×')],
    notes: [],
  }
}

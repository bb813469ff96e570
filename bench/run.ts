/** Measures the service beside its baselines, by turns, and prints what came of it. `--help` tells how. */
import { firstUse } from './cases/first-use.ts'
import { light } from './cases/light.ts'
import { listing } from './cases/list.ts'
import * as reads from './cases/reads.ts'
import { renewals } from './cases/renewals.ts'
import { saves } from './cases/saves.ts'
import { slowProvider } from './cases/slow-provider.ts'
import { readOptions } from './options.ts'
import type { CaseResult } from './report.ts'
import { toMarkdown } from './table.ts'
import type { World } from './world/world.ts'
import { openWorld } from './world/world.ts'

type Case = (world: World) => Promise<CaseResult>

const CASES: Record<string, Case> = {
  find: reads.reading(reads.find),
  'find-by-refresh-token': reads.reading(reads.findByRefreshToken),
  get: reads.reading(reads.get),
  'access-token': reads.reading(reads.accessToken),
  'find-alone': reads.reading(reads.findAlone),
  'access-token-alone': reads.reading(reads.accessTokenAlone),
  'first-use': firstUse,
  save: saves,
  list: listing,
  renewals,
  'slow-provider': slowProvider,
  light,
}
const QUICK = ['find', 'access-token', 'access-token-alone', 'save', 'renewals', 'light']

const options = readOptions()
const world = await openWorld(options)
try {
  const names = options.cases.length > 0 ? options.cases : options.quick ? QUICK : Object.keys(CASES)
  const results: CaseResult[] = []
  for (const name of names) {
    world.say(`${name} …`)
    const result = await CASES[name]?.(world)
    if (result === undefined) throw new Error(`${name}: there is no such case`)
    results.push(result)
    console.log(`${toMarkdown([result])}\n`)
  }
} finally {
  await world.close()
}

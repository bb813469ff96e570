/** Measures the service beside its baselines, by turns, and prints what came of it; `--help` says how. */
import { sql } from 'kysely'
import { CASES, namesOf } from './cases/cases.ts'
import { readOptions, USAGE } from './options.ts'
import type { CaseResult } from './report/case-result.ts'
import { toChart } from './report/chart.ts'
import { writeChart, writeSection } from './report/document.ts'
import { machine } from './report/machine.ts'
import { toMarkdown } from './report/table.ts'
import type { World } from './world/world.ts'
import { openWorld } from './world/world.ts'

const options = readOptions()
if (options.help) {
  console.log(USAGE + Object.keys(CASES).join(', '))
} else {
  const names = namesOf(options)
  const world = await openWorld(options)
  try {
    const results = await measure(world, names)
    if (options.write) await write(world, results)
  } finally {
    await world.close()
  }
}

/** One after the other: each has the machine for itself. */
async function measure(world: World, names: string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const name of names) {
    world.say(`${name} …`)
    const result = await CASES[name]?.(world)
    if (result === undefined) continue
    results.push(result)
    console.log(`${toMarkdown([result])}\n`)
  }
  return results
}

async function write({ database, options }: World, results: CaseResult[]): Promise<void> {
  const { rows } = await sql<{ server_version: string }>`show server_version`.execute(database.db)
  const [server] = rows
  const where = machine(
    String(Object.values(server ?? {})[0]),
    options.tokens,
    options.rounds,
    options.secondsPerRound,
  )
  await writeSection(options.flat ? 'flat' : 'bench', `${where}\n\n${toMarkdown(results)}`)
  if (!options.flat) await writeChart(toChart(results))
}

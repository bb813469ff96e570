import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'vitest'
import { plans } from './plan.ts'
import { simulate } from './simulation.ts'

/** `npm run test:simulation` asks for a million; a failure repeats with its SIMULATION_SEED. */
const RUNS = Number(process.env['SIMULATION_RUNS'] ?? 10_000)
const SEED = Number(process.env['SIMULATION_SEED'] ?? randomInt(2 ** 31))
const MOST_MS_OF_A_RUN = 60

test(
  `no fault on three replicas breaks an invariant of renewal, in ${RUNS} runs`,
  { timeout: 60_000 + RUNS * MOST_MS_OF_A_RUN },
  async () => {
    console.info(`SIMULATION_SEED=${SEED}`)
    const property = fc.asyncProperty(plans, async (plan) => {
      const { violations, story } = await simulate(plan)
      const told = violations.map(({ invariant, detail }) => `${invariant}: ${detail}`)
      if (told.length > 0) throw new Error(`${told.join('\n')}\n${story.slice(-60).join('\n')}`)
    })
    await fc.assert(property, { numRuns: RUNS, seed: SEED })
  },
)

import { expect, test } from 'vitest'
import { partOf } from '../support/figures.ts'
import { BADNESS, BadHourWorld, HOUR_MS, OTHERS, REPLICAS } from './bad-hour.ts'

const TOKENS = { bad: 200, others: 60 }
/** Of 600 s, the margin is 120 s and the jitter 60 s. */
const RENEWALS_IN_AN_HOUR = 6
/** Three quarters of 32: so many are under way when the breaker opens, and then one a pause. */
const PLACES_OF_ONE = 24
/** The pauses grow from 5 to 60 s, and chance shortens each by up to a half. */
const MOST_PROBES = 4 + HOUR_MS / 30_000
const MOST_REQUESTS = REPLICAS * (PLACES_OF_ONE + MOST_PROBES)
/** The longest pause, behind a probe that still hung for 45 s, and a while for all to be renewed. */
const RECOVERY_MS = 120_000

/** In virtual time: it is the same whenever it runs. */
test.each(Object.keys(BADNESS) as (keyof typeof BADNESS)[])(
  'a provider that %s for an hour delays no renewal of another one by over 1 s, and recovers by itself',
  async (badness) => {
    const world = new BadHourWorld({ badness, tokens: TOKENS })
    world.fill()
    await world.time.run(HOUR_MS)
    const requests = world.asked.length
    const delays = world.delaysMs
    console.info(
      `${delays.length} renewals of others, claimed ${partOf(delays, 0.5)} ms after falling due in the median, ` +
        `${partOf(delays, 1)} ms at most; ${requests} requests to the provider that ${badness}, ` +
        `${world.badClaims} claims of its ${TOKENS.bad} tokens`,
    )
    expect(delays.length).toBeGreaterThanOrEqual(OTHERS.length * TOKENS.others * RENEWALS_IN_AN_HOUR)
    expect(Math.max(...delays)).toBeLessThanOrEqual(1000)
    expect(world.late(...OTHERS)).toEqual([])
    expect(requests).toBeLessThanOrEqual(MOST_REQUESTS)
    // What the breaker would not let pass is not claimed: that costs the database writes, and other replicas the token.
    expect(world.badClaims).toBeLessThanOrEqual(MOST_REQUESTS)
    expect(world.late('bad')).toHaveLength(TOKENS.bad)
    await world.time.run(HOUR_MS + RECOVERY_MS)
    expect(world.late('bad')).toEqual([])
  },
  300_000,
)

import { expect, test } from 'vitest'
import type { FaultWorld } from '../support/fault-world.ts'
import { openFaultWorld, upTo } from '../support/fault-world.ts'
import { figureAt } from '../support/figures.ts'

const KILLS = Number(process.env['FAULT_KILLS'] ?? 8)
/** Of so many the figures mean something. */
const IS_LONG = KILLS >= 100
const TIMEOUT_MS = 300_000 + KILLS * 10_000
/** At once: as many as there are cores to start replicas again. */
const KILLERS = 2
const REPLICAS = 6
/** At each kill. */
const LEAST_IN_FLIGHT = 2
const MOST_TAKE_OVER_SECONDS = 15

/** So many times a replica chosen by chance, when it has renewals in flight; resolves with their number. */
async function killReplicas(world: FaultWorld): Promise<number> {
  const startedMs = performance.now()
  const up = [...world.fleet.replicas]
  let [kills, inFlight] = [0, 0]
  const killTimeAndAgain = async () => {
    while (kills < KILLS) {
      kills += 1
      const [victim] = up.splice(Math.floor(Math.random() * up.length), 1)
      if (victim === undefined) throw new Error('no replica is up')
      const cutOff = await world.untilInFlight(victim.process.pid, LEAST_IN_FLIGHT)
      inFlight += cutOff
      await world.fleet.crash(victim)
      up.push(victim)
      if (kills % 50 === 0) console.info(`${kills} kills with ${inFlight} renewals in flight`)
    }
  }
  await Promise.all(Array.from({ length: KILLERS }, killTimeAndAgain))
  console.info(`${KILLS} kills took ${Math.round((performance.now() - startedMs) / 1000)} s`)
  return inFlight
}

interface Report {
  inFlight: number
  /** From the claim that was cut off, of 99 in 100 at most. */
  takeOverSeconds: number
}

async function report(world: FaultWorld, inFlight: number, dead: number): Promise<Report> {
  const takeOvers = await world.takeOvers()
  const [median, p99] = [figureAt(takeOvers, 0.5), figureAt(takeOvers, 0.99)]
  console.info(
    `${KILLS} kills with ${inFlight} renewals in flight, ${world.provider.log.length} requests, ${dead} dead; ` +
      `${takeOvers.length} take-overs, ${median.toFixed(1)} s after the claim in the median, ${p99.toFixed(1)} s at p99`,
  )
  return { inFlight, takeOverSeconds: p99 }
}

/** What a long run is for, besides the tokens. */
function expectEnough({ inFlight, takeOverSeconds }: Report, leaseSeconds: number): void {
  if (!IS_LONG) return
  expect(inFlight).toBeGreaterThanOrEqual(1.5 * KILLS)
  expect(takeOverSeconds).toBeLessThanOrEqual(leaseSeconds + MOST_TAKE_OVER_SECONDS)
}

const LATE = { beforeCommitMs: upTo(300), afterCommitMs: upTo(300) }

test(
  'kill -9 loses no token of a provider that lets a refresh token be used again for 10 s',
  async () => {
    const world = await openFaultWorld({
      tokens: 160,
      replicas: REPLICAS,
      renewalsASecond: 20,
      policy: { ...LATE, graceSeconds: 10 },
      entry: { reuse_grace: 10 },
    })
    const inFlight = await killReplicas(world)
    const dead = await world.settle()
    const reported = await report(world, inFlight, dead.length)
    expect(dead).toEqual([])
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
    expectEnough(reported, 2)
  },
  TIMEOUT_MS,
)

test(
  'kill -9 costs a strict provider only tokens that were replaced in flight, and says so',
  async () => {
    // Enough that there are living ones in the end.
    const tokens = 200 + 3 * KILLS
    const world = await openFaultWorld({
      tokens,
      replicas: REPLICAS,
      renewalsASecond: 20,
      policy: LATE,
      entry: { timeout: 5 },
    })
    const inFlight = await killReplicas(world)
    const dead = await world.settle()
    const reported = await report(world, inFlight, dead.length)
    const unheard = await world.unheard()
    for (const { family, detail } of dead) {
      expect(unheard).toContain(family)
      expect(detail).toMatch(/^the outcome of the renewal of .* was lost/)
    }
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
    expectEnough(reported, 15)
  },
  TIMEOUT_MS,
)

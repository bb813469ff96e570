import { expect, test } from 'vitest'
import type { FaultWorld } from '../support/fault-world.ts'
import { openFaultWorld, upTo } from '../support/fault-world.ts'
import { partOf } from '../support/figures.ts'

const KILLS = Number(process.env['FAULT_KILLS'] ?? 8)
const TIMEOUT_MS = 300_000 + KILLS * 10_000

/** So many times a replica chosen by chance; resolves with the renewals that were in flight in them. */
async function killReplicas(world: FaultWorld): Promise<number> {
  let inFlight = 0
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const victim = world.fleet.any()
    inFlight += await world.inFlight(victim.process.pid)
    await world.fleet.crash(victim)
    if (kill % 50 === 0) console.info(`${kill} kills with ${inFlight} renewals in flight`)
  }
  return inFlight
}

async function report(world: FaultWorld, inFlight: number, dead: number): Promise<void> {
  const takeOvers = await world.takeOvers()
  console.info(
    `${KILLS} kills with ${inFlight} renewals in flight, ${world.provider.log.length} requests, ${dead} dead; ` +
      `${takeOvers.length} take-overs, ${partOf(takeOvers, 0.5)} s after the claim in the median, ${partOf(takeOvers, 0.99)} s at p99`,
  )
}

const LATE = { beforeCommitMs: upTo(600), afterCommitMs: upTo(600) }

test(
  'kill -9 loses no token of a provider that lets a refresh token be used again for 10 s',
  async () => {
    const world = await openFaultWorld({
      tokens: 100,
      replicas: 4,
      policy: { ...LATE, graceSeconds: 10 },
      entry: { reuse_grace: 10 },
    })
    const inFlight = await killReplicas(world)
    const dead = await world.settle()
    await report(world, inFlight, dead.length)
    expect(dead).toEqual([])
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
  },
  TIMEOUT_MS,
)

test(
  'kill -9 costs a strict provider only tokens that were replaced in flight, and says so',
  async () => {
    // Enough that there are living ones in the end.
    const tokens = 100 + 2 * KILLS
    const world = await openFaultWorld({ tokens, replicas: 4, policy: LATE, entry: { timeout: 2 } })
    const inFlight = await killReplicas(world)
    const dead = await world.settle()
    await report(world, inFlight, dead.length)
    const unheard = await world.unheard()
    for (const { family, detail } of dead) {
      expect(unheard).toContain(family)
      expect(detail).toMatch(/^the outcome of the renewal of .* was lost/)
    }
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
  },
  TIMEOUT_MS,
)

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { FaultWorld } from '../support/fault-world.ts'
import { openFaultWorld, upTo } from '../support/fault-world.ts'

const PAUSES = Number(process.env['FAULT_PAUSES'] ?? 6)
/** At the time limit that a rotating provider has by default, of 45 s, and its lease of 95 s. */
const LONG_PAUSES = Number(process.env['FAULT_LONG_PAUSES'] ?? 0)
const IN_FLIGHT_AT_A_LONG_PAUSE = 40

interface Pauses {
  count: number
  leastInFlight: number
  /** From the start of one to its end, and from there to the next. */
  lastingMs: () => number
  apartMs: () => number
}

/** Renewals that were in flight, and how long a pause was at most: longer than it should, where the machine stood still. */
interface Paused {
  inFlight: number
  longestMs: number
}

/** To come round takes some 25 ms: two pauses with less between them are one, which is longer than it should be. */
const LEAST_APART_MS = 250

/** Each replica stands still time and again. */
async function pauseReplicas(world: FaultWorld, pauses: Pauses): Promise<Paused> {
  let [left, inFlight, longestMs] = [pauses.count, 0, 0]
  const pauseTimeAndAgain = async ({ pid }: { pid: number }) => {
    for (; left > 0; left -= 1) {
      await world.untilInFlight(pid, pauses.leastInFlight)
      const startedMs = Date.now()
      process.kill(pid, 'SIGSTOP')
      const cutOff = await world.inFlight(pid)
      inFlight += cutOff
      await pause(pauses.lastingMs())
      process.kill(pid, 'SIGCONT')
      longestMs = Math.max(longestMs, Date.now() - startedMs)
      await pause(LEAST_APART_MS + pauses.apartMs())
    }
  }
  await Promise.all(world.fleet.replicas.map((replica) => pauseTimeAndAgain(replica.process)))
  return { inFlight, longestMs }
}

async function expectNothingLost(world: FaultWorld, { longestMs }: Paused): Promise<void> {
  const dead = await world.settle()
  const slowestMs = Math.max(...world.provider.log.map(({ atMs, closedAtMs }) => (closedAtMs ?? atMs) - atMs))
  expect(dead, `the longest pause took ${longestMs} ms, the slowest answer ${slowestMs} ms`).toEqual([])
  expect(await world.outOfStep()).toEqual([])
  expect(await world.discrepancies()).toEqual([])
}

test(
  'replicas that are paused for up to a lease less 5 s lose no token of a strict provider',
  async () => {
    const world = await openFaultWorld({
      tokens: 160,
      replicas: 3,
      renewalsASecond: 20,
      policy: { beforeCommitMs: upTo(500), afterCommitMs: upTo(500) },
      entry: { timeout: 5 },
    })
    // A lease of 15 s.
    const lasting = { lastingMs: upTo(10_000), apartMs: upTo(500) }
    const paused = await pauseReplicas(world, { count: PAUSES, leastInFlight: 1, ...lasting })
    await expectNothingLost(world, paused)
    console.info(
      `${PAUSES} pauses with ${paused.inFlight} renewals in flight, ${world.provider.log.length} requests`,
    )
  },
  300_000 + PAUSES * 10_000,
)

if (LONG_PAUSES > 0) {
  test(
    'nor do replicas that are paused for longer than the time limit, at the limits of every rotating provider',
    async () => {
      const world = await openFaultWorld({
        tokens: 600,
        replicas: 3,
        renewalsASecond: 60,
        policy: { beforeCommitMs: upTo(3_000), afterCommitMs: upTo(3_000) },
        entry: {},
        env: { TOKEN_VAULT_REFRESH_CONCURRENCY: '200' },
      })
      const lasting = { lastingMs: () => 46_000 + Math.random() * 44_000, apartMs: upTo(2_000) }
      const least = { leastInFlight: IN_FLIGHT_AT_A_LONG_PAUSE }
      const paused = await pauseReplicas(world, { count: LONG_PAUSES, ...least, ...lasting })
      await expectNothingLost(world, paused)
      console.info(
        `${LONG_PAUSES} pauses of 46 to 90 s with ${paused.inFlight} renewals in flight, ${world.provider.log.length} requests`,
      )
    },
    600_000 + LONG_PAUSES * 95_000,
  )
}

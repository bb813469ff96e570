import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openFaultWorld, upTo } from '../support/fault-world.ts'

const PAUSES = Number(process.env['FAULT_PAUSES'] ?? 6)
/** Of 2 s for a request: a lease of 9 s. */
const ENTRY = { timeout: 2 }
const LONGEST_MS = 4_000

test(
  'replicas that are paused for up to a lease less 5 s lose no token of a strict provider',
  async () => {
    const world = await openFaultWorld({
      tokens: 80,
      replicas: 3,
      policy: { beforeCommitMs: upTo(500), afterCommitMs: upTo(500) },
      entry: ENTRY,
    })
    let [left, inFlight] = [PAUSES, 0]
    const pauseTimeAndAgain = async ({ pid }: { pid: number }) => {
      for (; left > 0; left -= 1) {
        process.kill(pid, 'SIGSTOP')
        inFlight += await world.inFlight(pid)
        await pause(Math.random() * LONGEST_MS)
        process.kill(pid, 'SIGCONT')
        await pause(Math.random() * 500)
      }
    }
    await Promise.all(world.fleet.replicas.map((replica) => pauseTimeAndAgain(replica.process)))
    expect(await world.settle()).toEqual([])
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
    console.info(
      `${PAUSES} pauses with ${inFlight} renewals in flight, ${world.provider.log.length} requests`,
    )
  },
  300_000 + PAUSES * 5_000,
)

import type { LoadPlan } from './load/load.ts'
import { usageOf } from './processes/usage.ts'
import type { Contender } from './rounds.ts'
import type { Server, World } from './world/world.ts'

/** What a round is, beside how long. */
export type Asking = Omit<LoadPlan, 'port' | 'seconds' | 'first' | 'tokens'> &
  Partial<Pick<LoadPlan, 'first' | 'tokens'>>

/** As long as so many rounds: by then its code is compiled, and its connections are open. */
const WARM_UP = { rounds: 3, connections: 32 }

/** A server under load. It is warmed up before the first round. */
export function underLoad(world: World, server: Server, asking: Asking): Contender {
  const { secondsPerRound } = world.options
  const used = { first: 0, tokens: world.database.used }
  const load = async (connections: number, seconds: number) => {
    const result = await world.load({ ...used, ...asking, port: server.port, connections, seconds })
    if (result.failures > 0) {
      throw new Error(`${asking.request}: ${result.failures} of ${result.requests} requests failed`)
    }
    return result
  }
  let warmUp: Promise<unknown> | null = null
  return async () => {
    await (warmUp ??= load(WARM_UP.connections, WARM_UP.rounds * secondsPerRound))
    const before = usageOf(server.pid)
    const { requests, seconds, p50Ms, p99Ms } = await load(asking.connections, secondsPerRound)
    const after = usageOf(server.pid)
    return {
      perSecond: requests / seconds,
      p50Ms,
      p99Ms,
      cpuSecondsPer1000: ((after.cpuSeconds - before.cpuSeconds) / requests) * 1000,
      rssMb: after.rssMb,
    }
  }
}

import { createHistogram } from 'node:perf_hooks'
import { openConnection } from './connection.ts'
import type { Keys, RequestName } from './requests.ts'
import { REQUESTS } from './requests.ts'

export interface LoadPlan {
  port: number
  request: RequestName
  connections: number
  seconds: number
  /** Each request is for a random one of so many tokens, from the first on. */
  first: number
  tokens: number
  /** One after the other instead. */
  inTurn?: boolean
  keys: Keys
}

export interface LoadResult {
  requests: number
  /** Other answers than 2xx. */
  failures: number
  seconds: number
  p50Ms: number
  p99Ms: number
}

const US_PER_MS = 1000

/** Sends requests over each connection, one after the other, for as long as the plan says. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const histogram = createHistogram()
  const request = REQUESTS[plan.request]
  const next = plan.inTurn === true ? inTurn(plan) : atRandom(plan)
  const connections = await Promise.all(
    Array.from({ length: plan.connections }, () => openConnection(plan.port)),
  )
  const startedAt = performance.now()
  const endsAt = startedAt + plan.seconds * 1000
  let failures = 0
  await Promise.all(
    connections.map(async (connection) => {
      for (let now = performance.now(); now < endsAt;) {
        const status = await connection.ask(request(next(), plan.keys))
        if (status < 200 || status > 299) failures += 1
        const answeredAt = performance.now()
        histogram.record(Math.max(1, Math.round((answeredAt - now) * US_PER_MS)))
        now = answeredAt
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  for (const connection of connections) connection.close()
  return {
    requests: histogram.count,
    failures,
    seconds,
    p50Ms: histogram.percentile(50) / US_PER_MS,
    p99Ms: histogram.percentile(99) / US_PER_MS,
  }
}

type Range = Pick<LoadPlan, 'first' | 'tokens'>

const atRandom =
  ({ first, tokens }: Range) =>
  () =>
    first + Math.floor(Math.random() * tokens)

/** Goes on where the last plan has stopped. */
const inTurn =
  ({ first, tokens }: Range) =>
  () =>
    first + (turn++ % tokens)
let turn = 0

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../domain/clock.ts'
import { createFailedAttempts } from '../failed-attempts.ts'
import { requestCounts } from '../request-counts.ts'
import { ledgerOf } from './audit.ts'

const WINDOW_MS = 1_000
const COUNTED_KEYS = 10_000

/** A key gets so many requests a second, counted before the body is parsed. Null: without a limit. */
export async function limitRequests(
  app: FastifyInstance,
  mostPerSecond: number | null,
  clock: Clock,
): Promise<void> {
  if (mostPerSecond === null) return
  const store = requestCounts(COUNTED_KEYS, () => clock.monotonicMs())
  await app.register(rateLimit, { global: false, store })
  const count = app.createRateLimit({
    max: mostPerSecond,
    timeWindow: WINDOW_MS,
    keyGenerator: ({ caller }) => caller?.keyId ?? '',
  })
  app.addHook('onRequest', async (request) => {
    if (request.caller === null) return
    const limit = await count(request)
    if (!limit.isAllowed && limit.isExceeded)
      throw ledgerOf(request).refusal('request_rate', Math.max(1, limit.ttlInSeconds))
  })
}

/** Keeps back the answer to a key that is none, the longer the more of them come from one address. */
export function createFailureDelay(clock: Clock): (address: string) => Promise<void> {
  const attempts = createFailedAttempts(clock)
  return async (address) => {
    const delayMs = attempts.note(address)
    if (delayMs > 0) await clock.sleep(delayMs)
  }
}

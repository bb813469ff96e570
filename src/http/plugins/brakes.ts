import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../domain/clock.ts'
import { createFailedAttempts } from '../failed-attempts.ts'
import { createRequestRate } from '../request-rate.ts'
import { ledgerOf } from './audit.ts'

/** A key gets so many requests a second, counted before the body is parsed. Null: without a limit. */
export function limitRequests(app: FastifyInstance, mostPerSecond: number | null, clock: Clock): void {
  if (mostPerSecond === null) return
  const rate = createRequestRate(mostPerSecond, clock)
  app.addHook('onRequest', (request, _reply, done) => {
    const waitSeconds = request.caller && rate.count(request.caller.keyId)
    done(waitSeconds === null ? undefined : ledgerOf(request).refusal('request_rate', waitSeconds))
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

import type { RefreshOutcome } from '../domain/provider.ts'
import { safeCode, verdictOf } from './error-codes.ts'
import { retryAfterSeconds } from './retry-after.ts'

type PassingOutcome = Extract<RefreshOutcome, { kind: 'throttled' | 'unavailable' }>

/**
 * What an answer means that asks to come again later; null for any other one. 429 and 5xx speak for themselves, whatever
 * the body says; other statuses do not: providers report throttling with 400. A refusal without a code that says when to
 * come again is as good as a 429: GitHub has a 403.
 */
export function passingOutcome(
  { status, retryAfter }: { status: number; retryAfter: string | null },
  code: string | null,
  now: Date,
): PassingOutcome | null {
  const verdict = verdictOf(code)
  const error = safeCode(code, `http_${status}`)
  const wait = retryAfterSeconds(retryAfter, now)
  const isPutOff = status >= 400 && status < 500 && code === null && wait !== null
  if (status === 429 || verdict === 'throttled' || isPutOff)
    return { kind: 'throttled', error, retryAfterSeconds: wait }
  if (status < 500 && verdict !== 'unavailable') return null
  const asked = wait !== null && { retryAfterSeconds: wait }
  return {
    kind: 'unavailable',
    error,
    sent: true,
    ...(!isGatewayStatus(status) && { failed: true }),
    ...asked,
  }
}

/** Of who has no answer of the provider's own: what became of the request nobody knows. */
function isGatewayStatus(status: number): boolean {
  return status === 502 || status === 504
}

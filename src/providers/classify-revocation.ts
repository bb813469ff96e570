import type { RevokeOutcome } from '../domain/provider.ts'
import type { Answer } from './classify-answer.ts'
import { errorCodeOf, fieldsOf } from './classify-answer.ts'
import { safeCode, verdictOf } from './error-codes.ts'
import { passingOutcome } from './passing-outcome.ts'

/** A token that is none any more is as good as revoked: what RFC 7009 answers with 200, others call an error. */
const GONE = new Set(['invalid_token', 'token_not_found'])

/** What an answer to a revocation means. As with renewals the body decides, but a 2xx needs none. */
export function classifyRevocation(answer: Answer, now: Date): RevokeOutcome {
  const { status, body } = answer
  const code = errorCodeOf(fieldsOf(body))
  const passing = passingOutcome(answer, code, now)
  if (passing !== null) return passing
  const verdict = verdictOf(code)
  if (code !== null && (verdict === 'dead' || GONE.has(code.toLowerCase()))) {
    return { kind: 'revoked', answer: safeCode(code, 'refused') }
  }
  if (verdict === 'misconfigured' || verdict === 'client_refused') {
    return { kind: verdict, error: safeCode(code, 'refused') }
  }
  if (code !== null) return { kind: 'nonsense', error: safeCode(code, 'unknown_error') }
  if (status < 200 || status > 299) return { kind: 'nonsense', error: `http_${status}` }
  // A page for people comes from something that stands before the provider.
  return /^\s*</.test(body) ? { kind: 'nonsense', error: 'not_json' } : { kind: 'revoked', answer: 'ok' }
}

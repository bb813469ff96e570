import type { ClientPause } from './client.ts'
import type { RefreshOutcome, RenewedOutcome } from './provider.ts'
import type { LastError } from './token.ts'

/** What came of a claim: the provider's answer, or why it was not asked, or not believed. */
export type RenewalOutcome = RefreshOutcome | PausedOutcome | DisbelievedOutcome

/** Nothing was sent. */
interface PausedOutcome {
  kind: 'paused'
  error: ClientPause['reason']
  /** How long the client is left alone. */
  seconds: number
}

/** Too many tokens of this client die to believe that this one is dead. */
interface DisbelievedOutcome {
  kind: 'mass_failure'
  error: string
  /** How long the client is left alone. */
  seconds: number
}

export type Failure = Exclude<RenewalOutcome, RenewedOutcome>

/** What each failure is called in a token's `last_error`, in its events, and to those who ask for the request. */
export const FAILURE_CODES = {
  dead: 'reauth_required',
  data_centre_unknown: 'data_centre_unknown',
  client_refused: 'client_refused',
  misconfigured: 'client_refused',
  throttled: 'provider_throttled',
  nonsense: 'provider_error',
  unavailable: 'provider_unavailable',
  mass_failure: 'mass_failure',
} as const satisfies Record<Exclude<Failure['kind'], 'paused'>, LastError['code']>

/** A pause goes by what the client is paused for. */
export function failureCode(outcome: Failure): LastError['code'] {
  return outcome.kind === 'paused' ? outcome.error : FAILURE_CODES[outcome.kind]
}

/** The request went out, and what came back, if anything, does not say what became of the token or code in it. */
export function isUnknown(outcome: Failure): boolean {
  return (
    (outcome.kind === 'nonsense' && outcome.failed !== true) ||
    (outcome.kind === 'unavailable' && outcome.sent)
  )
}

/**
 * The answer did not come, or reads as nothing: the provider may well have replaced the refresh token. By an error status
 * it has said that it failed, which must not excuse that it refuses a crowd of tokens later.
 */
export function isAnswerLost(outcome: Failure): boolean {
  return isUnknown(outcome) && !('failed' in outcome)
}

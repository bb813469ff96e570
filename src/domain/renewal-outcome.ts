import type { RefreshOutcome, RenewedOutcome } from './provider.ts'

/** What came of a claim: the provider's answer, or why it was not asked, or not believed. */
export type RenewalOutcome = RefreshOutcome | BrakedOutcome

/** `paused`: nothing was sent. `mass_failure`: too many tokens of this client die to believe that this one is dead. */
interface BrakedOutcome {
  kind: 'paused' | 'mass_failure'
  error: string
  /** How long the client is left alone. */
  seconds: number
}

export type Failure = Exclude<RenewalOutcome, RenewedOutcome>

/** The request went out, and what came back, if anything, does not say what became of the token or code in it. */
export function isUnknown(outcome: Failure): boolean {
  return (
    (outcome.kind === 'nonsense' && outcome.refused !== true) ||
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

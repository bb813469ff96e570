import { TokenVaultError } from './errors.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/** What the decision to try again rests on; times in milliseconds. */
export interface Attempt {
  error: unknown
  /** Failed attempts so far, this one included. */
  failures: number
  /** What is left of the time in which new attempts may begin. */
  leftMs: number
  /** A source of chance in [0, 1). */
  random: () => number
}

/** Failures that pass by themselves: the vault was away, is overloaded, or waits for its database or a provider. */
function passes(error: unknown): error is TokenVaultError {
  if (!(error instanceof TokenVaultError)) return false
  if (error.code === 'unreachable' || error.code === 'timeout') return true
  if (error.status === 429 || error.status === 503 || error.status === 504) return true
  return error.status === 502 && error.code === 'invalid_answer'
}

/** The vault itself has not answered: it may have done what it was asked, or not. */
export const isUnanswered = (error: unknown) =>
  error instanceof TokenVaultError && (error.status === 0 || error.code === 'invalid_answer')

/** The vault, its database or the provider is in trouble: nothing has been said about the token itself. */
export function isOutage(error: unknown): boolean {
  return passes(error) || isUnanswered(error) || (error instanceof TokenVaultError && error.status >= 500)
}

/**
 * How long to wait before the next attempt, or null where there is to be none: the failure does not pass, or the
 * vault asks for a longer wait than there is time. Back-off doubles and is jittered by half, never below the
 * vault's own Retry-After.
 */
export function pauseBeforeRetry({ error, failures, leftMs, random }: Attempt): number | null {
  if (!passes(error)) return null
  const backOff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1))
  const pause = (error.retryAfterSeconds ?? 0) * 1000 + backOff * (0.5 + random() / 2)
  return pause <= leftMs ? pause : null
}

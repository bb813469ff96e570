import type { Provider } from './provider.ts'
import { UNKNOWN_API_DOMAIN } from './provider.ts'
import type { Failure } from './renewal-outcome.ts'

/** Seconds until the refresher, and until a caller who asks, may try again. */
export interface RetryDelays {
  refresherSeconds: number
  callerSeconds: number
}

const BACKOFF_SECONDS = { base: 2, most: 300 }
const SLOW_RETRY_SECONDS = 900
/** Nothing was sent: another replica, with a newer providers file, may know where to. */
const UNSENT_RETRY_SECONDS = 30
const THROTTLE_SECONDS = 60
/** A caller who waits for an expired token may try more often than the refresher, which has all tokens to think of. */
export const CALLER_RETRY_SECONDS = 2
/** A caller may look this often whether a client is still paused. */
const PAUSE_LOOK_SECONDS = 30
/**
 * What a provider, or its breaker, asks to wait is the least. Without a back-off on top, 400 tokens of a provider that
 * hung were claimed 96 times a second, for as long as its breaker's probe was under way.
 */
const RETRY_AFTER_JITTER = 1 / 10
/** Tokens that waited for a client to be used again are spread over this part of the wait. */
const PAUSE_JITTER = 1 / 10

interface Attempt {
  provider: Provider
  /** Failures in a row, this one included. */
  attempts: number
  /** Seconds since which nobody knows what came of a renewal; null where all is known. */
  lostSeconds: number | null
}

export function retryDelays(failure: Failure, attempt: Attempt, random: () => number): RetryDelays {
  const { provider, attempts } = attempt
  switch (failure.kind) {
    case 'throttled': {
      const isOurs = failure.retryAfterSeconds === null && provider.limit === null
      const seconds = Math.min(throttleSeconds(failure, provider), isOurs ? mostSeconds(attempt) : Infinity)
      return { refresherSeconds: seconds * (1 + random() * RETRY_AFTER_JITTER), callerSeconds: seconds }
    }
    case 'paused':
    case 'mass_failure': {
      const refresherSeconds = failure.seconds * (1 + random() * PAUSE_JITTER)
      return { refresherSeconds, callerSeconds: Math.min(failure.seconds, PAUSE_LOOK_SECONDS) }
    }
    case 'client_refused': {
      const refresherSeconds = slowRetrySeconds(random)
      return { refresherSeconds, callerSeconds: PAUSE_LOOK_SECONDS }
    }
    case 'misconfigured':
    case 'data_centre_unknown': {
      const isUnsent = failure.error === UNKNOWN_API_DOMAIN
      const seconds = isUnsent ? UNSENT_RETRY_SECONDS * (1 + random()) : slowRetrySeconds(random)
      return { refresherSeconds: seconds, callerSeconds: seconds }
    }
    default: {
      if (isOurDelay(failure)) {
        const seconds = random() * CALLER_RETRY_SECONDS
        return { refresherSeconds: seconds, callerSeconds: seconds }
      }
      const asked = failure.kind === 'unavailable' ? failure.retryAfterSeconds : undefined
      const ceiling = Math.min(backoffCeiling(attempts), mostSeconds(attempt))
      if (asked === undefined) {
        const seconds = random() * ceiling
        return { refresherSeconds: seconds, callerSeconds: Math.min(seconds, CALLER_RETRY_SECONDS) }
      }
      const jitter = Math.max(asked * RETRY_AFTER_JITTER, ceiling)
      // By its length one knows that it was asked for, and that force does not count.
      const seconds = Math.max(asked, CALLER_RETRY_SECONDS + 1)
      return { refresherSeconds: seconds + random() * jitter, callerSeconds: seconds }
    }
  }
}

/** As long as a provider that throttles asks to wait, or counts. */
export function throttleSeconds(
  { retryAfterSeconds }: { retryAfterSeconds: number | null },
  provider: Provider | null,
): number {
  return retryAfterSeconds ?? provider?.limit?.windowSeconds ?? THROTTLE_SECONDS
}

/** The claim itself took so long that nothing could be sent any more: that says nothing of the provider. */
export function isOurDelay(failure: Failure): boolean {
  return failure.kind === 'unavailable' && failure.error === 'too_late'
}

/** How long a client is left alone that the provider refuses, or whose tokens die in masses. */
export function slowRetrySeconds(random: () => number): number {
  return SLOW_RETRY_SECONDS * (1 + random())
}

/** Exponential, with full jitter. */
function backoffCeiling(attempts: number): number {
  return Math.min(BACKOFF_SECONDS.most, BACKOFF_SECONDS.base * 2 ** Math.min(attempts, 30))
}

/** Where an answer was lost, soon enough for what is left of the provider's grace, unless the provider asks for more. */
function mostSeconds({ provider, lostSeconds }: Attempt): number {
  const graceLeft = lostSeconds === null ? 0 : provider.reuseGraceSeconds - lostSeconds
  return graceLeft > 0 ? graceLeft / 3 : Infinity
}

import type { EndpointObserver } from '../domain/observer.ts'
import type { LeftAlone, RefreshOutcome } from '../domain/provider.ts'
import type { Secret } from '../domain/secret.ts'
import { sha256 } from '../domain/sha256.ts'
import { wholeSeconds } from '../domain/time.ts'
import type { Breaker, End } from './breaker.ts'
import { createBreaker } from './breaker.ts'

/** What a request spends: a refresh token or a code. `cannotWait` as in `RefreshRequest`. */
export interface Spent {
  token: Secret
  cannotWait: boolean
}

/** One breaker per token endpoint, so that no provider, and no data centre, holds back another one. */
export interface Breakers {
  /** Asks an endpoint for a token, unless its breaker is open and the request can wait. */
  guard(
    endpoint: { provider: string; url: string },
    spent: Spent,
    ask: () => Promise<RefreshOutcome>,
  ): Promise<RefreshOutcome>
  /** Null while one of these endpoints has a breaker that is closed, or none has been asked. */
  leftAlone(urls: readonly string[]): LeftAlone | null
}

interface BreakersOptions {
  monotonicMs: () => number
  random: () => number
  observer: EndpointObserver
}

/** Failures of ours, which say nothing of the endpoint. */
const OURS = ['too_late', 'secret_unreadable', 'address_not_allowed']

export function createBreakers({ monotonicMs, random, observer }: BreakersOptions): Breakers {
  const byUrl = new Map<string, Breaker>()
  const breakerOf = (provider: string, url: string) => {
    const known = byUrl.get(url)
    if (known !== undefined) return known
    const name = { provider, host: new URL(url).host }
    const breaker = createBreaker({
      monotonicMs,
      random,
      onOpen() {
        observer.breakerOpened(name)
      },
      onClose() {
        observer.breakerClosed(name)
      },
    })
    byUrl.set(url, breaker)
    return breaker
  }
  return {
    async guard({ provider, url }, { token, cannotWait }, ask) {
      const breaker = breakerOf(provider, url)
      const pass = breaker.admit(cannotWait)
      if (pass === null) {
        const retryAfterSeconds = secondsLeft([breaker])
        return { kind: 'unavailable', error: 'breaker_open', sent: false, retryAfterSeconds }
      }
      let end: End = 'undecided'
      try {
        const outcome = await ask()
        end = endOf(outcome, token)
        return outcome
      } finally {
        pass(end)
      }
    },
    leftAlone(urls) {
      const asked = urls.flatMap((url) => byUrl.get(url) ?? [])
      if (asked.length === 0 || asked.some((breaker) => !breaker.isOpen())) return null
      const due = asked.filter((breaker) => breaker.isProbeDue())
      return { probes: due.length, retryAfterSeconds: secondsLeft(asked) }
    },
  }
}

/** Before the probe nobody need come again; while it is under way, soon. */
const secondsLeft = (breakers: Breaker[]) =>
  wholeSeconds(Math.min(...breakers.map((breaker) => breaker.pauseLeftMs())))

function endOf(outcome: RefreshOutcome, token: Secret): End {
  if (outcome.kind !== 'unavailable') return 'answered'
  const digest = OURS.includes(outcome.error) ? null : digestOf(token)
  return digest === null ? 'undecided' : { failedFor: digest }
}

/** Tells tokens apart without holding on to one. Null where a secret does not open. */
function digestOf(token: Secret): string | null {
  try {
    return sha256(token.reveal()).toString('base64')
  } catch {
    return null
  }
}

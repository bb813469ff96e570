import type { ClientPause } from './client.ts'
import type { RenewalOutcome } from './renewal-outcome.ts'
import type { Actor, TokenRef } from './token.ts'

/** Who is told of what becomes of renewals. Its methods never throw. */
export interface RenewalObserver {
  /** `stored` is false where a save or a peer won over it. */
  renewalSettled(renewal: {
    ref: TokenRef
    provider: string
    outcome: RenewalOutcome['kind']
    stored: boolean
    ms: number
  }): void
  /** A client is left alone from here on: an alarm where the reason is `mass_failure`. */
  clientPaused(pause: { ref: TokenRef; provider: string; clientId: string | null; pause: ClientPause }): void
  /** An answer is in hand and the storage does not take it: it is tried again. */
  renewalNotStored(ref: TokenRef, error: unknown): void
  /** Of one that nobody waits for. */
  renewalEndedWithoutOutcome(ref: TokenRef, error: unknown): void
  /** The search for due tokens failed; it goes on. */
  refresherFailed(error: unknown): void
}

/** Who is told of old events that are deleted. Its methods never throw. */
export interface SweepObserver {
  eventsSwept(deleted: number): void
  /** It is tried again within the hour. */
  sweepFailed(error: unknown): void
}

/** An endpoint of a provider, as a log names it. */
interface EndpointName {
  provider: string
  host: string
}

/** Who is told of what becomes of providers' endpoints. Its methods never throw. */
export interface EndpointObserver {
  /** The endpoint failed so often that requests to it are held back. */
  breakerOpened(endpoint: EndpointName): void
  /** It answers again. */
  breakerClosed(endpoint: EndpointName): void
  /** A host led only to addresses that must not be connected to. */
  addressRefused(refused: { host: string; addresses: readonly string[] }): void
}

/** Who counts what callers ask for. Its methods never throw. */
export interface RequestObserver {
  /**
   * `route` is the route's pattern, null where there is none; `method` is null where the route has no such one; `code`
   * is `ok`, that of the problem, or `caller_left`.
   */
  answered(request: { method: string | null; route: string | null; code: string; ms: number }): void
  /** A brake refused something. */
  braked(brake: string): void
}

/** Who is told of what becomes of exchanges. Its methods never throw. */
export interface ExchangeObserver {
  /** `outcome` is `ok`, or the code of the problem. */
  exchangeSettled(exchange: { namespaceId: string; provider: string; outcome: string; ms: number }): void
  /** It came to its token after its caller was told that it takes too long. */
  exchangeEndedLate(exchange: { ref: TokenRef; actor: Actor }): void
  /** An answer is in hand and the storage does not take it: it is tried again. */
  exchangeNotStored(namespaceId: string, error: unknown): void
}

import type { Secret } from './secret.ts'

/** How a provider behaves: what the schedule, the claim and the classifier need to know of it. */
export interface Provider {
  name: string
  /** Seconds that an access token lives where the provider, or a save, does not say. Schedules only. */
  defaultLifetimeSeconds: number
  /** Does each renewal replace the refresh token? */
  rotates: 'never' | 'always'
  /** Seconds for which a replaced refresh token still works. */
  reuseGraceSeconds: number
  /** At most `count` renewals of one refresh token in `windowSeconds`. */
  limit: { count: number; windowSeconds: number } | null
  /** Seconds between two renewals of a token that lives; never over a fifth of its life. */
  minIntervalSeconds: number
  /** Seconds that one request may take. */
  timeoutSeconds: number
}

/** What a renewal needs to say to the provider (RFC 6749, section 6). */
export interface RefreshRequest {
  provider: string
  clientId: string
  clientSecret: Secret | null
  refreshToken: Secret
  /** Chooses the data centre of a provider that has several. */
  apiDomain: string | null
  /** Past this moment, on the clock of `performance.now()`, the request must not be sent any more. */
  sendBeforeMs: number
}

/**
 * What came of a renewal. `error` is the provider's own error code or a short reason of ours, never its prose:
 * a provider's text may echo a token.
 */
export type RefreshOutcome =
  | RenewedOutcome
  /** The provider has refused this refresh token for good. */
  | { kind: 'dead'; error: string }
  /** The same, but the data centre was only assumed: the token may live in another one. */
  | { kind: 'data_centre_unknown'; error: string }
  /** The provider refuses the client or the request: somebody has to mend the settings. */
  | { kind: 'misconfigured'; error: string }
  /** Too many requests; `retryAfterSeconds` where the provider said so. */
  | { kind: 'throttled'; error: string; retryAfterSeconds: number | null }
  /** The provider was reached and made no sense. */
  | { kind: 'nonsense'; error: string }
  /** Network, time-out, 5xx. `sent`: may the provider have seen the refresh token? */
  | { kind: 'unavailable'; error: string; sent: boolean }

export interface RenewedOutcome {
  kind: 'renewed'
  accessToken: Secret
  /** Seconds; null where the provider does not say. */
  expiresInSeconds: number | null
  /** Null where the old one stays. */
  refreshToken: Secret | null
  tokenType: string | null
  scope: string | null
  apiDomain: string | null
}

/** The providers that the operator allows, and the way to their token endpoints. */
export interface Providers {
  find(name: string): Provider | null
  all(): Provider[]
  /** The API domains that a token of this provider can name; null where any will do. */
  apiDomains(name: string): string[] | null
  /** Sends one request and waits for its outcome. Never throws, never retries. */
  refresh(request: RefreshRequest): Promise<RefreshOutcome>
}

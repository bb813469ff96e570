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

/** What every request to a provider needs to say. */
export interface ProviderRequest {
  provider: string
  /** Null where it is not known: a revocation may go without. */
  clientId: string | null
  clientSecret: Secret | null
  /** Chooses the data centre of a provider that has several. */
  apiDomain: string | null
  /** Past this moment, on the clock of `performance.now()`, the request must not be sent any more. */
  sendBeforeMs: number
}

/** What a renewal needs to say to the provider (RFC 6749, section 6). */
export interface RefreshRequest extends ProviderRequest {
  clientId: string
  refreshToken: Secret
  /**
   * It repeats a request whose answer was lost, and comes too late once the provider's grace is over: it is sent even
   * where requests to the endpoint are held back. Such requests are few, and end with the grace.
   */
  cannotWait: boolean
}

/** What the trade of an authorization code needs to say (RFC 6749, section 4.1.3, and RFC 7636). */
export interface ExchangeRequest extends ProviderRequest {
  clientId: string
  code: Secret
  codeVerifier: Secret | null
  redirectUrl: string | null
}

/** What a revocation needs to say (RFC 7009); until when is said where it is sent. */
export interface RevokeRequest extends Omit<ProviderRequest, 'sendBeforeMs'> {
  token: Secret
  kind: 'refresh_token' | 'access_token'
}

/**
 * What came of a renewal. `error` is the provider's own error code or a short reason of ours, never its prose:
 * a provider's text may echo a token.
 */
export type RefreshOutcome =
  | RenewedOutcome
  /** The provider has refused this refresh token for good. */
  | { kind: 'dead'; error: string }
  /** The same, but the data centre was only assumed: the token may live in another one. Or no data centre is known. */
  | { kind: 'data_centre_unknown'; error: string }
  /** The provider refuses the client id, or its secret: no token of this client can be renewed. */
  | { kind: 'client_refused'; error: string }
  /** The provider refuses the request: somebody has to mend the settings. */
  | { kind: 'misconfigured'; error: string }
  /** Too many requests; `retryAfterSeconds` where the provider said so. */
  | { kind: 'throttled'; error: string; retryAfterSeconds: number | null }
  /** The provider was reached and made no sense. `failed`: by an error, so that it has replaced nothing. */
  | { kind: 'nonsense'; error: string; failed?: true }
  /**
   * Network, time-out, 5xx. `sent`: may the provider have seen the refresh token? `retryAfterSeconds` where the
   * provider said so. `failed`: its answer came, and says that it failed.
   */
  | { kind: 'unavailable'; error: string; sent: boolean; failed?: true; retryAfterSeconds?: number }

/** The error of a token whose `api_domain` no data centre has: there is nowhere to send it. */
export const UNKNOWN_API_DOMAIN = 'unknown_api_domain'

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

/** What came of a revocation. `answer` is `ok`, or the error code by which the provider said that the token is none any more. */
export type RevokeOutcome = { kind: 'revoked'; answer: string } | ProviderFailure

/** What says nothing of the token or code that was sent. */
export type ProviderFailure = Extract<
  RefreshOutcome,
  { kind: 'client_refused' | 'misconfigured' | 'throttled' | 'nonsense' | 'unavailable' }
>

/** A provider that does not answer this replica, which asks it for little more than whether it answers again. */
export interface LeftAlone {
  /** How many requests may look for that now. */
  probes: number
  /** Until the next may, or until one that does so now has been answered. */
  retryAfterSeconds: number
}

/** The providers that the operator allows, and the way to their token endpoints. */
export interface Providers {
  find(name: string): Provider | null
  all(): Provider[]
  /** The API domains that a token of this provider can name; null where any will do. */
  apiDomains(name: string): string[] | null
  /** Null unless all endpoints of the provider that this replica has asked are left alone. */
  leftAlone(name: string): LeftAlone | null
  /** Sends one request and waits for its outcome. Never throws, never retries. */
  refresh(request: RefreshRequest): Promise<RefreshOutcome>
  /** The same for an authorization code; `dead` is the code's. */
  exchange(request: ExchangeRequest): Promise<RefreshOutcome>
  /**
   * What sends a revocation, in the same way and until that moment; null where the provider is not known, or has no
   * endpoint for it.
   */
  revocation(request: RevokeRequest): ((sendBeforeMs: number) => Promise<RevokeOutcome>) | null
}

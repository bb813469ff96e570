import type { Secret } from './secret.ts'

export type TokenStatus = 'active' | 'failing' | 'reauth_required'

/** Why a renewal failed last, in the vault's own words. */
export interface LastError {
  code:
    | 'reauth_required'
    | 'client_refused'
    | 'mass_failure'
    | 'data_centre_unknown'
    | 'provider_throttled'
    | 'provider_unavailable'
    | 'provider_error'
  detail: string
  at: Date
  /** Failures in a row. */
  attempts: number
}

/** Of a new token that is saved without one. */
export const DEFAULT_PROVIDER = 'zoho'

/** What a caller can save. Absent fields are null. */
export interface TokenFields {
  userName: string | null
  clientId: string | null
  clientSecret: Secret | null
  refreshToken: Secret | null
  grantToken: Secret | null
  accessToken: Secret | null
  tokenType: string | null
  scope: string | null
  redirectUrl: string | null
  apiDomain: string | null
  /** Of the access token; null where unknown. */
  expiresAt: Date | null
}

/** One user's grant to one client at one provider, with all that keeps its access token fresh. */
export interface Token extends TokenFields {
  namespaceId: string
  id: string
  provider: string
  /** Seconds that the access token had to live when it came; null without one, and where nobody knows. */
  lifetimeSeconds: number | null
  status: TokenStatus
  lastError: LastError | null
  /** When its next renewal falls due; null where none does. */
  refreshDueAt: Date | null
  /** Before this moment a failed renewal is not tried again, unless a caller forces it. */
  retryAt: Date | null
  /** A renewal is under way until then. Grows stale by itself when its owner dies. */
  leaseUntil: Date | null
  /** Since then nobody knows what came of a renewal: the provider may have replaced the refresh token. */
  lostAt: Date | null
  /** Counts the claims: a late answer whose fence has moved on is dropped. */
  fence: number
  /** Claims of the current refresh token, oldest first, as many as the provider's limit looks back on. */
  renewals: Date[]
  version: number
  createdAt: Date
  updatedAt: Date
  refreshedAt: Date | null
  lastUsedAt: Date | null
}

/** What a token is like whose provider has just given it: of earlier failures nothing is left. */
export const SOUND = {
  status: 'active',
  lastError: null,
  retryAt: null,
  lostAt: null,
} as const satisfies Partial<Token>

/** A token's place: where to read it again. */
export interface TokenRef {
  namespaceId: string
  id: string
}

/** Who acted: the id of an API key, the vault itself, or the command line. */
export type Actor = string
export const REFRESHER: Actor = 'refresher'
export const COMMAND_LINE: Actor = 'cli'

/** The form under which user names are compared, computed here and not by a database locale. */
export function userKeyOf(userName: string): string {
  return userName.normalize('NFC').toLowerCase().normalize('NFC')
}

/** Two users that are known, and not the same. */
export function isOtherUser(one: string | null, other: string | null): boolean {
  return one !== null && other !== null && userKeyOf(one) !== userKeyOf(other)
}

import type { TokenRow } from './schema.ts'

/** The columns of a token, without those that only statements look at. */
const COLUMNS = {
  namespaceId: 'namespace_id',
  id: 'id',
  provider: 'provider',
  userName: 'user_name',
  clientId: 'client_id',
  clientSecret: 'client_secret',
  refreshToken: 'refresh_token',
  grantToken: 'grant_token',
  accessToken: 'access_token',
  tokenType: 'token_type',
  scope: 'scope',
  redirectUrl: 'redirect_url',
  apiDomain: 'api_domain',
  expiresAt: 'expires_at',
  lifetimeSeconds: 'lifetime_seconds',
  status: 'status',
  errorCode: 'error_code',
  errorDetail: 'error_detail',
  errorAt: 'error_at',
  errorAttempts: 'error_attempts',
  refreshDueAt: 'refresh_due_at',
  retryAt: 'retry_at',
  leaseUntil: 'lease_until',
  lostAt: 'lost_at',
  fence: 'fence',
  renewals: 'renewals',
  version: 'version',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  refreshedAt: 'refreshed_at',
  lastUsedAt: 'last_used_at',
} as const satisfies Partial<Record<keyof TokenRow, string>>

/** All that a token is made of, as it is stored. */
export type StoredToken = Pick<TokenRow, keyof typeof COLUMNS>

/** All columns that a token is written to, by the names that rows have for them here. */
export const COLUMN_NAMES = {
  ...COLUMNS,
  userKey: 'user_key',
  identity: 'identity',
  refreshDigest: 'refresh_digest',
  grantDigest: 'grant_digest',
  accessDigest: 'access_digest',
} as const satisfies Partial<Record<keyof TokenRow, string>>

/** For the select list of a statement of our own. */
export const STORED_COLUMNS = Object.entries(COLUMNS)
  .map(([name, column]) => `${column} as "${name}"`)
  .join(', ')

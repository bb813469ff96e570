import { VaultError } from './errors.ts'
import type { Secret } from './secret.ts'

/** What a caller names a token by, of all that it may give. */
export interface PartialToken {
  id: string | null
  provider: string | null
  userName: string | null
  clientId: string | null
  clientSecret: Secret | null
  grantToken: Secret | null
  refreshToken: Secret | null
  accessToken: Secret | null
}

export type Criterion =
  | { by: 'id'; id: string }
  | { by: 'user_name'; userName: string }
  | { by: 'grant_token' | 'refresh_token' | 'access_token'; token: Secret }

/** The tokens that a criterion may find are narrowed to these; null narrows nothing. */
export interface Narrowing {
  provider: string | null
  clientId: string | null
}

/**
 * The criteria of a find, in the order in which they are tried until one finds a token. Only a grant token falls
 * back, to the refresh token beside it. A partial token that names nothing is refused: it never means "some row".
 */
export function findCriteria(partial: PartialToken): Criterion[] {
  const { id, userName, clientId, clientSecret, grantToken, refreshToken, accessToken } = partial
  if (id !== null) return [{ by: 'id', id }]
  if (userName !== null) return [{ by: 'user_name', userName }]
  if (accessToken !== null && clientId === null && clientSecret === null) {
    return [{ by: 'access_token', token: accessToken }]
  }
  const criteria: Criterion[] = []
  if (grantToken !== null) criteria.push({ by: 'grant_token', token: grantToken })
  if (refreshToken !== null) criteria.push({ by: 'refresh_token', token: refreshToken })
  if (criteria.length > 0) return criteria
  if (accessToken !== null) return [{ by: 'access_token', token: accessToken }]
  throw new VaultError(
    'no_criterion',
    'Name the token to find: give id, user_name, access_token, grant_token or refresh_token.',
  )
}

import { emptyToken } from '../../src/domain/merge.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Token } from '../../src/domain/token.ts'
import {
  accessTokenOf,
  API_DOMAIN,
  CLIENT_ID,
  CLIENT_SECRET,
  LIFETIME_SECONDS,
  namespaceIdOf,
  namespaceOf,
  PROVIDER,
  refreshTokenOf,
  SCOPE,
  tokenIdOf,
  userNameOf,
} from '../tokens.ts'

const SAVED_AT = new Date()
const EXPIRES_AT = new Date(SAVED_AT.getTime() + LIFETIME_SECONDS * 1000)

/** The token of an index, as a save would have made it. */
export function tokenOf(index: number, isUsed: boolean): Token {
  return {
    ...emptyToken(namespaceIdOf(namespaceOf(index)), tokenIdOf(index), PROVIDER, SAVED_AT),
    userName: userNameOf(index),
    clientId: CLIENT_ID,
    clientSecret: new Secret(CLIENT_SECRET),
    refreshToken: new Secret(refreshTokenOf(index)),
    accessToken: new Secret(accessTokenOf(index)),
    tokenType: 'Bearer',
    scope: SCOPE,
    apiDomain: API_DOMAIN,
    expiresAt: EXPIRES_AT,
    lifetimeSeconds: LIFETIME_SECONDS,
    refreshDueAt: EXPIRES_AT,
    lastUsedAt: isUsed ? SAVED_AT : null,
  }
}

/**
 * The tokens of the bench. All that is said of one follows from its index: so the load picks any of them at random, and
 * holds none.
 */

/** Each with its own keys, and an equal part of the tokens. */
export const NAMESPACES = 100
export const PROVIDER = 'bench'
export const CLIENT_ID = '1000.BENCHCLIENT0000000000000000000000'

const digits = (index: number, width: number) => String(index).padStart(width, '0')

/** Ids as the vault makes them: UUIDs of version 7, made one after the other. */
export const NAMESPACE_ID_PREFIX = '01900000-0000-7000-8000-'
export const TOKEN_ID_PREFIX = '01900000-0000-7000-9000-'
export const namespaceIdOf = (namespace: number) => `${NAMESPACE_ID_PREFIX}${digits(namespace, 12)}`
export const tokenIdOf = (index: number) => `${TOKEN_ID_PREFIX}${digits(index, 12)}`

export const namespaceOf = (index: number) => index % NAMESPACES
/** As the Zoho SDKs name users. */
export const userNameOf = (index: number) => `user-${index}@example.com:${digits(index, 10)}`

/** Secrets are as long as Zoho's: 70 characters, the client's 42. */
export const refreshTokenOf = (index: number) => `1000.${digits(index, 32)}.${'r'.repeat(32)}`
export const accessTokenOf = (index: number) => `1000.${digits(index, 32)}.${'a'.repeat(32)}`
export const CLIENT_SECRET = 'c'.repeat(42)
export const SCOPE = 'ZohoCRM.modules.ALL,ZohoCRM.settings.ALL'
export const API_DOMAIN = 'https://www.zohoapis.eu'
/** Nothing falls due by itself during a run. */
export const LIFETIME_SECONDS = 30 * 86_400

import type { TokenRow } from './schema.ts'

/** The columns of a token, without those that only statements look at. */
const NAMES = [
  'namespaceId',
  'id',
  'provider',
  'userName',
  'clientId',
  'clientSecret',
  'refreshToken',
  'grantToken',
  'accessToken',
  'tokenType',
  'scope',
  'redirectUrl',
  'apiDomain',
  'expiresAt',
  'lifetimeSeconds',
  'status',
  'errorCode',
  'errorDetail',
  'errorAt',
  'errorAttempts',
  'refreshDueAt',
  'retryAt',
  'leaseUntil',
  'lostAt',
  'fence',
  'renewals',
  'version',
  'createdAt',
  'updatedAt',
  'refreshedAt',
  'lastUsedAt',
] as const satisfies (keyof TokenRow)[]
type Name = (typeof NAMES)[number]

const DIGEST_NAMES = [
  'userKey',
  'identity',
  'refreshDigest',
  'grantDigest',
  'accessDigest',
] as const satisfies (keyof TokenRow)[]

/** All that a token is made of, as it is stored. */
export type StoredToken = Pick<TokenRow, Name>

/** All columns that a token is written to, by the names that rows have for them here. */
export const COLUMN_NAMES = Object.fromEntries(
  [...NAMES, ...DIGEST_NAMES].map((name) => [name, columnOf(name)]),
) as Record<Name | (typeof DIGEST_NAMES)[number], string>

function columnOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/**
 * A stored token for the select list of a statement of our own, as one value: what pg is told of each column, with every
 * answer, and does with it, was a sixth of a lone find. In the place of what is left out stand no bytes, so that one sees
 * that there is something.
 */
export function storedToken(leftOut: readonly Name[] = []): string {
  const values = NAMES.map((name) => {
    const column = `tokens.${columnOf(name)}`
    return leftOut.includes(name) ? `case when ${column} is not null then ''::bytea end` : column
  })
  return `json_build_array(${values.join(', ')})`
}

export const STORED_TOKEN = storedToken()

type InJson<Value> = Value extends Buffer | Date ? string : Value extends Date[] ? string[] : Value
type JsonOf<Names extends readonly Name[]> = { [Index in keyof Names]: InJson<StoredToken[Names[Index]]> }

/** What {@link storedToken} gives. */
export type StoredJson = JsonOf<typeof NAMES>

/** The names stand in the order of those above, which is that of the array. */
// prettier-ignore
export function readStored([
  namespaceId, id, provider, userName, clientId, clientSecret, refreshToken, grantToken, accessToken, tokenType, scope,
  redirectUrl, apiDomain, expiresAt, lifetimeSeconds, status, errorCode, errorDetail, errorAt, errorAttempts,
  refreshDueAt, retryAt, leaseUntil, lostAt, fence, renewals, version, createdAt, updatedAt, refreshedAt, lastUsedAt,
]: StoredJson): StoredToken {
  return {
    namespaceId, id, provider, userName, clientId,
    clientSecret: readBytes(clientSecret),
    refreshToken: readBytes(refreshToken),
    grantToken: readBytes(grantToken),
    accessToken: readBytes(accessToken),
    tokenType, scope, redirectUrl, apiDomain,
    expiresAt: readMoment(expiresAt),
    lifetimeSeconds, status, errorCode, errorDetail,
    errorAt: readMoment(errorAt),
    errorAttempts,
    refreshDueAt: readMoment(refreshDueAt),
    retryAt: readMoment(retryAt),
    leaseUntil: readMoment(leaseUntil),
    lostAt: readMoment(lostAt),
    fence,
    renewals: renewals.map((at) => new Date(at)),
    version,
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
    refreshedAt: readMoment(refreshedAt),
    lastUsedAt: readMoment(lastUsedAt),
  }
}

/** `\\x` and two digits a byte. */
function readBytes(json: string | null): Buffer | null {
  return json === null ? null : Buffer.from(json.slice(2), 'hex')
}

/** ISO 8601, of which a date keeps milliseconds. */
function readMoment(json: string | null): Date | null {
  return json === null ? null : new Date(json)
}

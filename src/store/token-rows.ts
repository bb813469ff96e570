import type { Insertable } from 'kysely'
import { sql } from 'kysely'
import type { Keyring, NamespaceKeys } from '../domain/keyring.ts'
import { Secret } from '../domain/secret.ts'
import { sha256 } from '../domain/sha256.ts'
import type { LastError, Token, TokenRef } from '../domain/token.ts'
import { userKeyOf } from '../domain/token.ts'
import type { Schema } from './schema.ts'
import type { StoredToken } from './stored-token.ts'
import { COLUMN_NAMES, storedToken } from './stored-token.ts'

export type Columns = Partial<Insertable<Schema['tokens']>>
export const SEALED_COLUMNS = ['clientSecret', 'refreshToken', 'grantToken', 'accessToken'] as const
export type SealedColumn = (typeof SEALED_COLUMNS)[number]
/** A stored token whose secrets cannot be opened, but of each one sees whether it is there. */
export const METADATA = storedToken(SEALED_COLUMNS)
/** The same, but for the access token. */
export const WITH_ACCESS_TOKEN = storedToken(SEALED_COLUMNS.filter((column) => column !== 'accessToken'))

const DIGEST_OF = {
  refreshToken: 'refreshDigest',
  grantToken: 'grantDigest',
  accessToken: 'accessDigest',
} as const

/** Somebody wants a secret that the query has left out. */
export class SecretLeftOutError extends Error {
  readonly token: TokenRef

  constructor(token: TokenRef) {
    super('a query has left the secret out')
    this.token = token
  }
}

/** The keys of a namespace, fresh enough to open these rows. */
export function keysFor(keyring: Keyring, namespaceId: string, rows: StoredToken[]): Promise<NamespaceKeys> {
  const values: Buffer[] = []
  for (const row of rows)
    for (const column of SEALED_COLUMNS) {
      const sealed = row[column]
      // What was left out has no bytes, and no key.
      if (sealed !== null && sealed.length > 0) values.push(sealed)
    }
  return keyring.keysOf(namespaceId, values)
}

/**
 * A row as a token whose secrets are opened when somebody reveals them.
 * @throws Error where a query has forgotten its namespace: the values would not open, and nobody is to renew it either
 */
export function toToken(row: StoredToken, keys: NamespaceKeys): Token {
  if (row.namespaceId !== keys.namespaceId) throw new Error('a query gave a token of another namespace')
  const { namespaceId, id } = row
  // The secrets outlive the row: a caller may wait with them for a renewal.
  const ref = { namespaceId, id }
  const open = (column: SealedColumn) => lazySecret(ref, column, row[column], keys)
  return {
    namespaceId,
    id,
    provider: row.provider,
    userName: row.userName,
    clientId: row.clientId,
    clientSecret: open('clientSecret'),
    refreshToken: open('refreshToken'),
    grantToken: open('grantToken'),
    accessToken: open('accessToken'),
    tokenType: row.tokenType,
    scope: row.scope,
    redirectUrl: row.redirectUrl,
    apiDomain: row.apiDomain,
    expiresAt: row.expiresAt,
    lifetimeSeconds: row.lifetimeSeconds,
    status: row.status,
    lastError: lastErrorOf(row),
    refreshDueAt: row.refreshDueAt,
    retryAt: row.retryAt,
    leaseUntil: row.leaseUntil,
    lostAt: row.lostAt,
    fence: row.fence,
    renewals: row.renewals,
    version: row.version,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    refreshedAt: row.refreshedAt,
    lastUsedAt: row.lastUsedAt,
  }
}

/** Opened when somebody reveals it. */
function lazySecret(
  ref: TokenRef,
  column: SealedColumn,
  sealed: Buffer | null,
  keys: NamespaceKeys,
): Secret | null {
  if (sealed === null) return null
  if (sealed.length === 0)
    return new Secret(() => {
      throw new SecretLeftOutError(ref)
    })
  return new Secret(() => keys.open(placeOf(ref.id, column), sealed).reveal())
}

function lastErrorOf(row: StoredToken): LastError | null {
  const { errorCode: code, errorDetail: detail, errorAt: at, errorAttempts: attempts } = row
  if (code === null || detail === null || at === null || attempts === null) return null
  return { code, detail, at, attempts }
}

/**
 * This very token: one that was deleted and saved anew with the same id counts fences and versions from the start, and
 * what was claimed of the first must not be settled on the second. A token knows its birth to the millisecond.
 */
export function isSameToken({ createdAt }: Token) {
  return sql<boolean>`date_trunc('milliseconds', created_at) = ${createdAt}`
}

/** The columns in which a token differs from what is stored: all of them for a new one. */
export function changedColumns(token: Token, stored: Token | null, keys: NamespaceKeys): Columns {
  const plain = plainColumns(token)
  const before = stored === null ? null : plainColumns(stored)
  const changed = Object.entries(plain).filter(([column, value]) => {
    return before === null || !sameValue(value, before[column as keyof typeof before])
  })
  return {
    ...Object.fromEntries(changed),
    ...userDigests(token, stored),
    ...sealedColumns(token, stored, keys),
  }
}

/** The same columns in JSON, for `jsonb_populate_record`. */
export function toRecord(columns: Columns): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, value]) => [
      COLUMN_NAMES[name as keyof typeof COLUMN_NAMES],
      Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value,
    ]),
  )
}

/** A secret that was not replaced is the very object that was read: it keeps its ciphertext. */
function sealedColumns(token: Token, stored: Token | null, keys: NamespaceKeys): Columns {
  const columns: Columns = {}
  for (const column of SEALED_COLUMNS) {
    const secret = token[column]
    if (secret === null || secret === stored?.[column]) continue
    columns[column] = keys.seal(placeOf(token.id, column), secret)
    if (column === 'clientSecret') continue
    columns[DIGEST_OF[column]] = keys.digest(COLUMN_NAMES[column], secret)
  }
  return columns
}

export function placeOf(rowId: string, column: SealedColumn) {
  return { table: 'tokens', rowId, field: COLUMN_NAMES[column] }
}

function plainColumns(token: Token) {
  return {
    namespaceId: token.namespaceId,
    id: token.id,
    provider: token.provider,
    userName: token.userName,
    clientId: token.clientId,
    tokenType: token.tokenType,
    scope: token.scope,
    redirectUrl: token.redirectUrl,
    apiDomain: token.apiDomain,
    expiresAt: token.expiresAt,
    lifetimeSeconds: token.lifetimeSeconds,
    status: token.status,
    errorCode: token.lastError?.code ?? null,
    errorDetail: token.lastError?.detail ?? null,
    errorAt: token.lastError?.at ?? null,
    errorAttempts: token.lastError?.attempts ?? null,
    refreshDueAt: token.refreshDueAt,
    retryAt: token.retryAt,
    leaseUntil: token.leaseUntil,
    lostAt: token.lostAt,
    fence: token.fence,
    renewals: token.renewals,
    version: token.version,
    createdAt: token.createdAt,
    updatedAt: token.updatedAt,
    refreshedAt: token.refreshedAt,
    lastUsedAt: token.lastUsedAt,
  }
}

/** The digest by which a user is found: of bounded length, as an index needs it. */
export function userKey(userName: string): Buffer {
  return sha256(userKeyOf(userName))
}

/** None where the token is still the same user's at the same client: a renewal would take 10 µs to learn that. */
function userDigests(token: Token, stored: Token | null): Columns {
  const { userName, provider, clientId } = token
  if (stored?.userName === userName && stored.provider === provider && stored.clientId === clientId) return {}
  if (userName === null) return { userKey: null, identity: null }
  const identity = JSON.stringify([provider, clientId, userKeyOf(userName)])
  return { userKey: userKey(userName), identity: sha256(identity) }
}

function sameValue(one: unknown, other: unknown): boolean {
  if (one instanceof Date && other instanceof Date) return one.getTime() === other.getTime()
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => sameValue(value, other[index]))
  }
  return one === other
}

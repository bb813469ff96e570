import type { Expression, SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { Keyring, NamespaceKeys } from '../domain/keyring.ts'
import type { Found, Page, Reading, TokenFilter } from '../domain/token-store.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import type { Schema, TokenRow } from './schema.ts'
import { keysFor, toToken, userKey } from './token-rows.ts'

const MOST_MATCHES = 100

type TimedRow = TokenRow & { now: Date }

/** Rows of one namespace, each with the database's clock. */
function tokensOf(db: Db, namespaceId: string) {
  return db
    .selectFrom('tokens')
    .selectAll()
    .select(sql<Date>`now()`.as('now'))
    .where('namespaceId', '=', namespaceId)
}

/** By the primary key, tokens_identity, refresh_tokens' primary key, tokens_grant or tokens_access. */
export async function findBy(
  db: Db,
  keyring: Keyring,
  namespaceId: string,
  criterion: Criterion,
  narrowing: Narrowing,
): Promise<Found> {
  const keys = await keyring.keysOf(namespaceId)
  let query = tokensOf(db, namespaceId).where(matching(namespaceId, criterion, keys))
  if (narrowing.provider !== null) query = query.where('provider', '=', narrowing.provider)
  if (narrowing.clientId !== null) query = query.where('clientId', '=', narrowing.clientId)
  const rows = await query.orderBy('id').limit(MOST_MATCHES).execute()
  return found(rows, keyring, namespaceId)
}

function matching(namespaceId: string, criterion: Criterion, keys: NamespaceKeys): Expression<SqlBool> {
  switch (criterion.by) {
    case 'id':
      return sql`id = ${criterion.id}`
    case 'user_name':
      return sql`user_key = ${userKey(criterion.userName)}`
    case 'refresh_token': {
      const digest = keys.digest('refresh_token', criterion.token)
      return sql`id = (select token_id from refresh_tokens where namespace_id = ${namespaceId} and digest = ${digest})`
    }
    case 'grant_token':
      return sql`grant_digest = ${keys.digest('grant_token', criterion.token)}`
    case 'access_token':
      return sql`access_digest = ${keys.digest('access_token', criterion.token)}`
  }
}

/** By the primary key. */
export async function getToken(db: Db, keyring: Keyring, ref: TokenRef): Promise<Reading | null> {
  const rows = await tokensOf(db, ref.namespaceId).where('id', '=', ref.id).execute()
  const { tokens, now } = await found(rows, keyring, ref.namespaceId)
  return tokens[0] === undefined ? null : { token: tokens[0], now }
}

/** Along the primary key, or along tokens_identity where the filter names a user. */
export async function listTokens(db: Db, keyring: Keyring, namespaceId: string, page: Page): Promise<Found> {
  let query = filtered(tokensOf(db, namespaceId), page.filter)
  if (page.after !== null) query = query.where('id', '>', page.after)
  const rows = await query.orderBy('id').limit(page.limit).execute()
  return found(rows, keyring, namespaceId)
}

interface Filterable {
  where(column: keyof Schema['tokens'], operator: '=' | '<', value: string | Date | Buffer): this
}

/** What a filter passes; an empty one passes everything. */
export function filtered<Query extends Filterable>(query: Query, filter: TokenFilter): Query {
  const { userName, clientId, provider, status, expiresBefore } = filter
  let narrowed = query
  if (userName !== null) narrowed = narrowed.where('userKey', '=', userKey(userName))
  if (clientId !== null) narrowed = narrowed.where('clientId', '=', clientId)
  if (provider !== null) narrowed = narrowed.where('provider', '=', provider)
  if (status !== null) narrowed = narrowed.where('status', '=', status)
  if (expiresBefore !== null) narrowed = narrowed.where('expiresAt', '<', expiresBefore)
  return narrowed
}

async function found(rows: TimedRow[], keyring: Keyring, namespaceId: string): Promise<Found> {
  const keys = await keysFor(keyring, namespaceId, rows)
  return { tokens: rows.map((row) => toToken(row, keys)), now: rows[0]?.now ?? new Date() }
}

import { sql } from 'kysely'
import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { Keyring } from '../domain/keyring.ts'
import type { Found, Page, Reading, TokenFilter } from '../domain/token-store.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import type { LookUp } from './look-ups.ts'
import type { Schema } from './schema.ts'
import type { StoredToken } from './stored-token.ts'
import { keysFor, toToken, userKey } from './token-rows.ts'

type TimedRow = StoredToken & { now: Date }

/** Rows of one namespace, each with the database's clock. */
function tokensOf(db: Db, namespaceId: string) {
  return db
    .selectFrom('tokens')
    .selectAll()
    .select(sql<Date>`now()`.as('now'))
    .where('namespaceId', '=', namespaceId)
}

/** By what the criterion names; of a crowd of matches some. */
export async function findBy(
  lookUp: LookUp,
  keyring: Keyring,
  namespaceId: string,
  criterion: Criterion,
  narrowing: Narrowing,
): Promise<Found> {
  const rows = await lookUp(await keyring.keysOf(namespaceId), criterion, narrowing)
  rows.sort((one, other) => (one.id < other.id ? -1 : 1))
  return found(rows, keyring, namespaceId)
}

const UNNARROWED: Narrowing = { provider: null, clientId: null }

export async function getToken(
  lookUp: LookUp,
  keyring: Keyring,
  { namespaceId, id }: TokenRef,
): Promise<Reading | null> {
  const { tokens, now } = await findBy(lookUp, keyring, namespaceId, { by: 'id', id }, UNNARROWED)
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

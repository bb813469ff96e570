import { sql } from 'kysely'
import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { Keyring } from '../domain/keyring.ts'
import type { Found, Page, Reading, TokenFilter } from '../domain/token-store.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import type { LookUp } from './look-ups.ts'
import type { Schema } from './schema.ts'
import type { StoredJson } from './stored-token.ts'
import { readStored, STORED_TOKEN, storedToken } from './stored-token.ts'
import { keysFor, SEALED_COLUMNS, toToken, userKey } from './token-rows.ts'

/** By what the criterion names; of a crowd of matches some. */
export async function findBy(
  lookUp: LookUp,
  keyring: Keyring,
  namespaceId: string,
  criterion: Criterion,
  narrowing: Narrowing,
): Promise<Found> {
  const { rows, now } = await lookUp(await keyring.keysOf(namespaceId), criterion, narrowing)
  rows.sort((one, other) => (one.id < other.id ? -1 : 1))
  const keys = await keysFor(keyring, namespaceId, rows)
  return { tokens: rows.map((row) => toToken(row, keys)), now }
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

/** A thousand tokens may have 100 MB of sealed values. */
const METADATA = storedToken(SEALED_COLUMNS)

/** Along the primary key, or along tokens_identity where the filter names a user. */
export async function listTokens(db: Db, keyring: Keyring, namespaceId: string, page: Page): Promise<Found> {
  let query = db
    .selectFrom('tokens')
    .select(sql.raw<StoredJson>(page.secrets ? STORED_TOKEN : METADATA).as('token'))
    .select(sql<Date>`now()`.as('now'))
    .where('namespaceId', '=', namespaceId)
  query = filtered(query, page.filter)
  if (page.after !== null) query = query.where('id', '>', page.after)
  const rows = await query.orderBy('id').limit(page.limit).execute()
  const stored = rows.map(({ token }) => readStored(token))
  const keys = await (page.secrets ? keysFor(keyring, namespaceId, stored) : keyring.keysOf(namespaceId))
  return { tokens: stored.map((row) => toToken(row, keys)), now: rows[0]?.now ?? new Date() }
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

import type { RawBuilder, SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { Criterion, Narrowing } from '../domain/criterion.ts'
import type { Keyring } from '../domain/keyring.ts'
import type { Found, Listed, Openable, Page, Reading, TokenFilter } from '../domain/token-store.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import type { LookUp } from './look-ups.ts'
import type { Schema } from './schema.ts'
import type { StoredJson } from './stored-token.ts'
import { COLUMN_NAMES, readStored, STORED_TOKEN } from './stored-token.ts'
import { keysFor, METADATA, SEALED_COLUMNS, toToken, userKey } from './token-rows.ts'

/** By what the criterion names; of a crowd of matches some. */
export async function findBy(
  lookUp: LookUp,
  keyring: Keyring,
  namespaceId: string,
  criterion: Criterion,
  narrowing: Narrowing,
  openable: Openable,
): Promise<Found> {
  const { rows, now } = await lookUp(await keyring.keysOf(namespaceId), criterion, narrowing, openable)
  rows.sort((one, other) => (one.id < other.id ? -1 : 1))
  const keys = await keysFor(keyring, namespaceId, rows)
  return { tokens: rows.map((row) => toToken(row, keys)), now }
}

const UNNARROWED: Narrowing = { provider: null, clientId: null }

export async function getToken(
  lookUp: LookUp,
  keyring: Keyring,
  { namespaceId, id }: TokenRef,
  openable: Openable,
): Promise<Reading | null> {
  const { tokens, now } = await findBy(lookUp, keyring, namespaceId, { by: 'id', id }, UNNARROWED, openable)
  return tokens[0] === undefined ? null : { token: tokens[0], now }
}

/** The sealed values of a thousand tokens may be 100 MB, their texts 28. */
const MOST_BYTES = 4 * 1024 * 1024
const TEXT_COLUMNS = [
  'provider',
  'userName',
  'clientId',
  'tokenType',
  'scope',
  'redirectUrl',
  'apiDomain',
  'errorDetail',
] as const
const WITH_SECRETS = upToLimit([...TEXT_COLUMNS, ...SEALED_COLUMNS], STORED_TOKEN)
const WITHOUT_SECRETS = upToLimit(TEXT_COLUMNS, METADATA)

/** The token; null from where those before it are too many bytes. */
function upToLimit(columns: readonly (keyof typeof COLUMN_NAMES)[], token: string): string {
  const bytes = columns.map((name) => `coalesce(octet_length(${COLUMN_NAMES[name]}), 0)`)
  const before = `sum(${bytes.join(' + ')}) over (order by id rows between unbounded preceding and 1 preceding)`
  return `case when coalesce(${before}, 0) < ${MOST_BYTES} then ${token} end`
}

/** Along the primary key, or along the index of the user or the status that the filter names. */
export async function listTokens(db: Db, keyring: Keyring, namespaceId: string, page: Page): Promise<Listed> {
  let query = filtered(db.selectFrom('tokens').where('namespaceId', '=', namespaceId), page.filter)
  if (page.after !== null) query = query.where('id', '>', page.after)
  // One more than asked for tells whether there is another page.
  const some = query
    .selectAll()
    .orderBy('id')
    .limit(page.limit + 1)
  const rows = await db
    .selectFrom(some.as('tokens'))
    .select(sql.raw<StoredJson | null>(page.secrets ? WITH_SECRETS : WITHOUT_SECRETS).as('token'))
    .select(sql<Date>`now()`.as('now'))
    .orderBy('id')
    .execute()
  const stored = rows.slice(0, page.limit).flatMap(({ token }) => (token === null ? [] : [readStored(token)]))
  const last = stored.length < rows.length ? stored.at(-1) : undefined
  const keys = await keysFor(keyring, namespaceId, stored)
  return {
    tokens: stored.map((row) => toToken(row, keys)),
    now: rows[0]?.now ?? new Date(),
    next: last?.id ?? null,
  }
}

interface Filterable {
  where(column: keyof Schema['tokens'], operator: '=' | '<', value: string | Date | Buffer): this
  where(condition: RawBuilder<SqlBool>): this
}

/** What a filter passes; an empty one passes everything. */
export function filtered<Query extends Filterable>(query: Query, filter: TokenFilter): Query {
  const { userName, clientId, provider, status, expiresBefore } = filter
  let narrowed = query
  if (userName !== null) narrowed = narrowed.where('userKey', '=', userKey(userName))
  if (clientId !== null) narrowed = narrowed.where('clientId', '=', clientId)
  if (provider !== null) narrowed = narrowed.where('provider', '=', provider)
  if (status !== null) narrowed = narrowed.where('status', '=', status)
  if (status !== null && status !== 'active') narrowed = narrowed.where(IS_IN_STATUS_INDEX)
  if (expiresBefore !== null) narrowed = narrowed.where('expiresAt', '<', expiresBefore)
  return narrowed
}

/** Said once more in the words of the index: a plan that is made for any value goes along it by nothing else. */
const IS_IN_STATUS_INDEX = sql<boolean>`status <> 'active'`

import type { UpdateObject } from 'kysely'
import { sql } from 'kysely'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Settlement } from '../domain/renewal.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import type { Schema } from './schema.ts'
import type { Columns } from './token-rows.ts'
import { changedColumns } from './token-rows.ts'

/**
 * What the outcome changes; of a new access token its expiry and its life, too, where they are what they were: a save
 * that came in the meantime has brought those of another one.
 */
export function columnsOf({ token, event }: Settlement, before: Token, keys: NamespaceKeys): Columns {
  const columns = changedColumns(token, before, keys)
  if (event.type !== 'renewal.succeeded') return columns
  return { ...columns, expiresAt: token.expiresAt, lifetimeSeconds: token.lifetimeSeconds }
}

/** The newest of the replaced access tokens first, 16 entries of 8 bytes. */
export const RING_SQL = `case when access_digest is null then replaced_access
  else substring(substring(access_digest for 8) || replaced_access for 128) end`
export const RING = sql.raw<Buffer>(RING_SQL)

export const UNLEASED = { leaseUntil: null, leaseOwner: null, claimedAt: null }

export function updateOf(db: Db, { namespaceId, id }: TokenRef, columns: UpdateObject<Schema, 'tokens'>) {
  return db
    .updateTable('tokens')
    .set({ ...columns, version: sql`version + 1`, updatedAt: sql`now()` })
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
}

/** A refresh token that another token claims as its own is kept all the same: losing it would lose the grant. */
export async function keepRotated(
  db: Db,
  { namespaceId, id }: TokenRef,
  { refreshDigest }: Columns,
): Promise<void> {
  if (refreshDigest === undefined || refreshDigest === null) return
  await db
    .insertInto('refreshTokens')
    .values({ namespaceId, tokenId: id, digest: refreshDigest })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

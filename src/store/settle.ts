import type { Updateable } from 'kysely'
import { sql } from 'kysely'
import type { Event } from '../domain/event.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Claim, Settlement } from '../domain/renewal.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import type { Claimer } from './claimer.ts'
import { clientOf, liftPause, pauseClient } from './clients.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordEvents } from './record-events.ts'
import type { Schema, TokenRow } from './schema.ts'
import { changedColumns, isSameToken, keysFor, toToken } from './token-rows.ts'

type Columns = ReturnType<typeof changedColumns>

/**
 * By the primary key, compare-and-set on the fence. Only columns that the outcome changes are written: a save that
 * came in the meantime keeps its own. A failure says nothing about a token that has been saved since.
 */
export async function settle(
  { db, keyring }: Claimer,
  claim: Claim,
  settlement: Settlement,
): Promise<Token | null> {
  const { token, event } = settlement
  const keys = await keyring.keysOf(token.namespaceId)
  const columns = changedColumns(token, claim.token, keys)
  const succeeded = event.type === 'renewal.succeeded'
  const row = await db.transaction().execute(async (trx): Promise<TokenRow | null> => {
    let update = updateOf(trx, token, columns)
      .set({ leaseUntil: null, leaseOwner: null, claimedAt: null })
      .where('fence', '=', claim.fence)
      .where('leaseUntil', 'is not', null)
      .where(isSameToken(claim.token))
    if (succeeded) update = update.set({ replacedAccess: RING })
    else update = update.where('version', '=', claim.token.version)
    const [updated] = await update.returningAll().execute()
    if (updated === undefined) return settleLate(trx, claim, settlement, columns, keys)
    await keepRotated(trx, token, columns)
    const paused = await settlePause(trx, token, settlement, keys)
    await recordEvents(trx, token, [event, ...paused])
    return updated
  })
  return row && toToken(row, await keysFor(keyring, token.namespaceId, [row]))
}

function updateOf(db: Db, { namespaceId, id }: TokenRef, columns: Updateable<Schema['tokens']>) {
  return db
    .updateTable('tokens')
    .set({ ...columns, version: sql`version + 1`, updatedAt: sql`now()` })
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
}

/** The newest of the replaced access tokens first, 16 entries of 8 bytes. */
const RING = sql<Buffer>`case when access_digest is null then replaced_access
  else substring(substring(access_digest for 8) || replaced_access for 128) end`

/** A refresh token that another token claims as its own is kept all the same: losing it would lose the grant. */
async function keepRotated(db: Db, { namespaceId, id }: TokenRef, { refreshDigest }: Columns): Promise<void> {
  if (refreshDigest === undefined || refreshDigest === null) return
  await db
    .insertInto('refreshTokens')
    .values({ namespaceId, tokenId: id, digest: refreshDigest })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

async function settlePause(
  db: Db,
  token: Token,
  { pause }: Settlement,
  keys: NamespaceKeys,
): Promise<Event[]> {
  if (pause === undefined) return []
  const client = clientOf(token, keys)
  if (pause === null) {
    await liftPause(db, client)
    return []
  }
  const isNew = await pauseClient(db, client, pause)
  const facts = { client_id: token.clientId ?? '', reason: pause.reason, until: pause.until.toISOString() }
  return isNew ? [{ type: 'client.paused', actor: REFRESHER, facts }] : []
}

/**
 * The token is gone, its fence has moved on, a save made the failure void, or this was committed before, unheard. A
 * refresh token that the provider has given for the one still stored is kept for all that: there is no other. Whoever
 * took over may have presented the replaced one: if the provider revokes both for it, `lost_at` still says why.
 */
async function settleLate(
  db: Db,
  claim: Claim,
  { token, event }: Settlement,
  columns: Columns,
  keys: NamespaceKeys,
): Promise<TokenRow | null> {
  const { namespaceId, id } = claim.token
  const ofToken = db
    .selectFrom('tokens')
    .selectAll()
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
  const row = await ofToken.forUpdate().executeTakeFirst()
  const isHeld = row !== undefined && isHeldBy(row, claim)
  const isSettled = isHeld && row.leaseUntil === null
  if (row && (isSettled || hasAccess(row, columns))) return row
  if (row && isSuccessor(row, claim.token, columns, keys)) {
    const successor = { ...columns, ...SOUND, lostAt: row.lostAt, refreshDueAt: token.refreshDueAt }
    const update = updateOf(db, token, successor).set({ replacedAccess: RING })
    const kept = await update.returningAll().execute()
    await keepRotated(db, token, columns)
    await recordEvents(db, token, [event])
    return kept[0] ?? null
  }
  if (isHeld) await endLease(db, claim)
  if (await holdNamespace(db, namespaceId)) {
    await recordEvents(db, token, [{ ...event, type: 'renewal.dropped' }])
  }
  return null
}

/** Has nobody else claimed this very token since? */
function isHeldBy({ fence, createdAt }: TokenRow, claim: Claim): boolean {
  return fence === claim.fence && createdAt.getTime() === claim.token.createdAt.getTime()
}

function hasAccess(row: TokenRow, { accessDigest }: Columns): boolean {
  return accessDigest instanceof Buffer && row.accessDigest?.equals(accessDigest) === true
}

/** Is it another refresh token, for the one that was presented and that the row still has? */
function isSuccessor(
  row: TokenRow,
  presented: Token,
  { refreshDigest }: Columns,
  keys: NamespaceKeys,
): boolean {
  if (!(refreshDigest instanceof Buffer) || presented.refreshToken === null) return false
  const digest = keys.digest('refresh_token', presented.refreshToken)
  return row.refreshDigest?.equals(digest) === true && !refreshDigest.equals(digest)
}

/** Whatever a peer made of the old refresh token in the meantime. */
const SOUND = {
  status: 'active',
  errorCode: null,
  errorDetail: null,
  errorAt: null,
  errorAttempts: null,
  retryAt: null,
} as const

async function endLease(db: Db, { token, fence }: Claim): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ leaseUntil: null, leaseOwner: null, claimedAt: null })
    .where('namespaceId', '=', token.namespaceId)
    .where('id', '=', token.id)
    .where('fence', '=', fence)
    .execute()
}

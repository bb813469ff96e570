import type { UpdateObject } from 'kysely'
import { sql } from 'kysely'
import type { Event } from '../domain/event.ts'
import { isWaitAskedFor } from '../domain/freshness.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Claim, Settlement } from '../domain/renewal.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import { createBatch } from './batch.ts'
import type { Claimer } from './claimer.ts'
import { clientOf, liftPause, pauseClient } from './clients.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordEvents } from './record-events.ts'
import type { Schema, TokenRow } from './schema.ts'
import { lockKey } from './save-token.ts'
import type { Settling } from './settle-together.ts'
import { RING_SQL, settleTogether } from './settle-together.ts'
import { isPassing, isRace } from './storage-faults.ts'
import type { Columns } from './token-rows.ts'
import { changedColumns, isSameToken, keysFor, toToken } from './token-rows.ts'

/** Little beside the time that a provider takes; of settlements that come together, most come within it. */
const GATHER_MS = 5
/** Short beside a lease. To settle twice does no harm. */
const PATIENCE_MS = 500

/**
 * Settles with others what is plain, and alone what is not: a settlement that fails takes none with it, and none waits
 * for a lock that another one needs.
 */
export function createSettle(claimer: Claimer) {
  const { db, keyring, owner } = claimer
  const together = createBatch({
    run: (settlings: readonly Settling[]) => settleTogether(db, settlings),
    isCommon: (error) => isPassing(error) && !isRace(error),
    gatherMs: GATHER_MS,
    patienceMs: PATIENCE_MS,
  })
  return async (claim: Claim, settlement: Settlement): Promise<Token | null> => {
    const keys = await keyring.keysOf(settlement.token.namespaceId)
    const settling = { claim, settlement, columns: columnsOf(settlement, claim.token, keys), owner }
    const settled = settlement.pause === undefined ? await together(settling) : null
    return settled ?? settleAlone(claimer, settling, keys)
  }
}

/**
 * What the outcome changes; of a new access token its expiry and its life, too, where they are what they were: a save
 * that came in the meantime has brought those of another one.
 */
function columnsOf({ token, event }: Settlement, before: Token, keys: NamespaceKeys): Columns {
  const columns = changedColumns(token, before, keys)
  if (event.type !== 'renewal.succeeded') return columns
  return { ...columns, expiresAt: token.expiresAt, lifetimeSeconds: token.lifetimeSeconds }
}

/**
 * By the primary key, compare-and-set on the fence. Only columns that the outcome changes are written: a save that
 * came in the meantime keeps its own. A failure says nothing about a token that has been saved since.
 */
async function settleAlone(
  { db, keyring, owner }: Claimer,
  { claim, settlement, columns }: Settling,
  keys: NamespaceKeys,
): Promise<Token | null> {
  const { token, event } = settlement
  const succeeded = event.type === 'renewal.succeeded'
  const row = await db.transaction().execute(async (trx): Promise<TokenRow | null> => {
    let update = updateOf(trx, token, columns)
      .set(UNLEASED)
      .where('fence', '=', claim.fence)
      .where('leaseUntil', 'is not', null)
      .where('leaseOwner', '=', owner)
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

const RING = sql.raw<Buffer>(RING_SQL)

function updateOf(db: Db, { namespaceId, id }: TokenRef, columns: UpdateObject<Schema, 'tokens'>) {
  return db
    .updateTable('tokens')
    .set({ ...columns, version: sql`version + 1`, updatedAt: sql`now()` })
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
}

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
 * This was committed before, unheard, or the token is gone, its fence has moved on, or a save made the failure void. A
 * refresh token that the provider has given for the one still stored is kept for all that: there is no other. Whoever
 * took over may have presented the replaced one: if the provider revokes both for it, `lost_at` still says why.
 */
async function settleLate(
  db: Db,
  claim: Claim,
  settlement: Settlement,
  columns: Columns,
  keys: NamespaceKeys,
): Promise<TokenRow | null> {
  const { token, event } = settlement
  const row = (await heirOf(db, claim.token, keys)) ?? (await heirBeingSaved(db, claim.token, columns, keys))
  const told = await endingOf(db, claim)
  if (told !== null) return told === 'renewal.dropped' ? null : (row ?? null)
  const isPassedOn = row !== undefined && isPassedOnTo(row, claim)
  if (row && isSuccessor(row, claim.token, columns, keys))
    return keepSuccessor(db, row, claim, settlement, keys, isPassedOn)
  if (row && (isHeldBy(row, claim) || isPassedOn)) await endLease(db, row, token)
  if (row && isOvertaken(row, claim, columns)) await makeDue(db, row, claim)
  if (await holdNamespace(db, token.namespaceId)) {
    await recordEvents(db, token, [{ ...event, type: 'renewal.dropped' }])
  }
  return null
}

/** What the end of this claim was told as; null where it has none yet. Along events_token. */
async function endingOf(db: Db, { token, fence, claimedAt }: Claim): Promise<string | null> {
  const ending = await db
    .selectFrom('events')
    .select('type')
    .where('namespaceId', '=', token.namespaceId)
    .where('tokenId', '=', token.id)
    .where('type', 'in', ['renewal.succeeded', 'renewal.failed', 'renewal.dropped'])
    .where(sql<boolean>`facts @> ${JSON.stringify({ fence, claimed_at: claimedAt.toISOString() })}::jsonb`)
    .executeTakeFirst()
  return ending?.type ?? null
}

/**
 * This very token, or else whichever has its refresh token now: another may have absorbed it, or been saved after it was
 * deleted. By the primary keys, in one statement that locks one row.
 */
async function heirOf(db: Db, presented: Token, keys: NamespaceKeys): Promise<TokenRow | undefined> {
  const { namespaceId, id, refreshToken } = presented
  const digest = refreshToken && keys.digest('refresh_token', refreshToken)
  const holder = sql<string>`(select token_id from refresh_tokens
    where namespace_id = ${namespaceId} and digest = ${digest}::bytea)`
  const itself = sql<boolean>`(id = ${id} and ${isSameToken(presented)})`
  return db
    .selectFrom('tokens')
    .selectAll()
    .where('namespaceId', '=', namespaceId)
    .where(sql<boolean>`(${itself} or id = ${holder})`)
    .orderBy(itself, 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst()
}

/** A save of the refresh token that is to be replaced may be about to commit. */
async function heirBeingSaved(
  db: Db,
  presented: Token,
  { refreshDigest }: Columns,
  keys: NamespaceKeys,
): Promise<TokenRow | undefined> {
  const { namespaceId, refreshToken } = presented
  if (!refreshDigest || refreshToken === null) return undefined
  const lock = lockKey(namespaceId, 'refreshDigest', keys.digest('refresh_token', refreshToken))
  await sql`select pg_advisory_xact_lock(${lock.toString()}::bigint)`.execute(db)
  return heirOf(db, presented, keys)
}

/**
 * Its event stays with the token that was claimed, whose fence it bears. Where a replay may have replaced the refresh
 * token once more, it is due while the provider's grace lasts.
 */
async function keepSuccessor(
  db: Db,
  row: TokenRow,
  claim: Claim,
  { token, event }: Settlement,
  keys: NamespaceKeys,
  isPassedOn: boolean,
): Promise<TokenRow | null> {
  const heir = { ...token, id: row.id }
  const columns = columnsOf({ token: heir, event }, { ...claim.token, id: row.id }, keys)
  const lostAt = isPassedOn ? null : row.lostAt
  const refreshDueAt = lostAt === null ? token.refreshDueAt : sql<Date>`now()`
  const successor = { ...columns, ...SOUND, ...(isPassedOn && UNLEASED), lostAt, refreshDueAt }
  const update = updateOf(db, heir, successor).set({ replacedAccess: RING })
  const kept = await update.returningAll().execute()
  await keepRotated(db, heir, columns)
  await recordEvents(db, token, [event])
  return kept[0] ?? null
}

/** Has nobody else claimed this very token since? */
function isHeldBy({ id, fence, createdAt }: TokenRow, { fence: claimed, token }: Claim): boolean {
  return id === token.id && fence === claimed && createdAt.getTime() === token.createdAt.getTime()
}

/** Has this row absorbed the claimed token, and its claim, of which nobody has taken over since? */
function isPassedOnTo({ id, leaseUntil, claimedAt }: TokenRow, claim: Claim): boolean {
  if (id === claim.token.id || leaseUntil === null) return false
  return claimedAt?.getTime() === claim.claimedAt.getTime()
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

/**
 * Has a replay brought another refresh token before this answer came? Which of the two the provider has given last
 * nobody knows: the stored one is tried while the grace lasts.
 */
function isOvertaken(row: TokenRow, { claimedAt }: Claim, { refreshDigest }: Columns): boolean {
  if (!(refreshDigest instanceof Buffer) || row.refreshDigest?.equals(refreshDigest) === true) return false
  return row.status !== 'reauth_required' && row.refreshedAt !== null && row.refreshedAt >= claimedAt
}

async function makeDue(db: Db, { namespaceId, id }: TokenRow, { claimedAt }: Claim): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ lostAt: sql`coalesce(lost_at, ${claimedAt}::timestamptz)`, refreshDueAt: sql`now()` })
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
    .execute()
}

const UNLEASED = { leaseUntil: null, leaseOwner: null, claimedAt: null }

/** Whatever a peer made of the old refresh token in the meantime. */
const SOUND = {
  status: 'active',
  errorCode: null,
  errorDetail: null,
  errorAt: null,
  errorAttempts: null,
  retryAt: null,
} as const

/**
 * However void the failure is, that its answer was lost is true of the refresh token, which is the same, and so is that
 * the provider has asked for a wait.
 */
async function endLease(db: Db, { namespaceId, id, fence }: TokenRow, settled: Token): Promise<void> {
  const { lostAt, retryAt, refreshDueAt } = settled
  const backOff = {
    retryAt: sql<Date>`greatest(retry_at, ${retryAt}::timestamptz)`,
    refreshDueAt: sql<Date>`greatest(refresh_due_at, ${refreshDueAt}::timestamptz)`,
  }
  await db
    .updateTable('tokens')
    .set(UNLEASED)
    .set({ lostAt: sql`coalesce(lost_at, ${lostAt}::timestamptz)` })
    .set(isWaitAskedFor(settled) ? backOff : {})
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
    .where('fence', '=', fence)
    .execute()
}

import { sql } from 'kysely'
import { isWaitAskedFor } from '../domain/freshness.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import { UnreadableError } from '../domain/unreadable-error.ts'
import type { Claim } from '../domain/renewal.ts'
import type { Token } from '../domain/token.ts'
import { clientOf } from './clients.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordEvents } from './record-events.ts'
import { lockKey } from './save-token.ts'
import type { TokenRow } from './schema.ts'
import type { Settling } from './settle-together.ts'
import { columnsOf, keepRotated, RING, UNLEASED, updateOf } from './settled-columns.ts'
import { endSpentLease } from './spent-renewals.ts'
import type { Columns } from './token-rows.ts'
import { isSameToken } from './token-rows.ts'

/** A settlement that cannot be stored as it is, the keys of its namespace, and how to read a row with them. */
export interface LateSettling extends Omit<Settling, 'owner'> {
  keys: NamespaceKeys
  /** The digest of the refresh token that was presented; null where there was none. */
  presented: Buffer | null
  read: (row: TokenRow) => Promise<Token>
}

/**
 * This was committed before, unheard, or the token is gone, its fence has moved on, or a save made the failure void. A
 * refresh token that the provider has given for the one still stored is kept for all that: there is no other. Whoever
 * took over may have presented the replaced one: if the provider revokes both for it, `lost_at` still says why.
 */
export async function settleLate(db: Db, late: LateSettling): Promise<TokenRow | null> {
  const { claim, settlement, columns, presented } = late
  const { token, event } = settlement
  const row = (await heirOf(db, claim.token, presented)) ?? (await heirBeingSaved(db, claim.token, presented))
  const told = await endingOf(db, claim)
  if (told !== null) return told === 'renewal.dropped' ? null : (row ?? null)
  const isPassedOn = row !== undefined && isPassedOnTo(row, claim)
  if (row && isSuccessor(row, late)) return keepSuccessor(db, row, late, isPassedOn)
  if (row && (isHeldBy(row, claim) || isPassedOn)) {
    if (await isDeadFor(row, late)) return bury(db, row, late)
    await endLease(db, row, token)
  }
  if (row && isOvertaken(row, claim, columns) && (await wasTakenOver(db, row, claim)))
    await makeDue(db, row, claim)
  await endSpent(db, late)
  if (await holdNamespace(db, token.namespaceId)) {
    await recordEvents(db, token, [{ ...event, type: 'renewal.dropped' }])
  }
  return null
}

/** The digest of the refresh token of this claim; null where it has none, or one that does not open: that is never sent. */
export function presentedBy({ token: { refreshToken } }: Claim, keys: NamespaceKeys): Buffer | null {
  try {
    return refreshToken && keys.digest('refresh_token', refreshToken)
  } catch (error) {
    if (error instanceof UnreadableError) return null
    throw error
  }
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
async function heirOf(db: Db, claimed: Token, presented: Buffer | null): Promise<TokenRow | undefined> {
  const { namespaceId, id } = claimed
  const holder = sql<string>`(select token_id from refresh_tokens
    where namespace_id = ${namespaceId} and digest = ${presented}::bytea)`
  const itself = sql<boolean>`(id = ${id} and ${isSameToken(claimed)})`
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

/** A save of the refresh token that was presented may be about to commit. */
async function heirBeingSaved(
  db: Db,
  claimed: Token,
  presented: Buffer | null,
): Promise<TokenRow | undefined> {
  if (presented === null) return undefined
  const lock = lockKey(claimed.namespaceId, 'refreshDigest', presented)
  await sql`select pg_advisory_xact_lock(${lock.toString()}::bigint)`.execute(db)
  return heirOf(db, claimed, presented)
}

/**
 * Its event stays with the token that was claimed, whose fence it bears. Where a replay may have replaced the refresh
 * token once more, it is due while the provider's grace lasts.
 */
async function keepSuccessor(
  db: Db,
  row: TokenRow,
  { claim, settlement: { token, event }, keys }: LateSettling,
  isPassedOn: boolean,
): Promise<TokenRow | null> {
  const heir = { ...token, id: row.id }
  const columns = columnsOf({ token: heir, event }, { ...claim.token, id: row.id }, keys)
  const lostAt = isPassedOn ? null : row.lostAt
  const refreshDueAt = lostAt === null ? token.refreshDueAt : sql<Date>`now()`
  const successor = { ...columns, ...SOUND_COLUMNS, ...(isPassedOn && UNLEASED), lostAt, refreshDueAt }
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

/** Has this row taken up the claim with its refresh token, and has nobody taken over since? */
function isPassedOnTo({ leaseUntil, claimedAt }: TokenRow, claim: Claim): boolean {
  return leaseUntil !== null && claimedAt?.getTime() === claim.claimedAt.getTime()
}

/** Is it another refresh token, for the one that was presented and that the row still has? */
function isSuccessor(row: TokenRow, late: LateSettling): boolean {
  const { refreshDigest } = late.columns
  if (!(refreshDigest instanceof Buffer) || !hasPresented(row, late)) return false
  return row.refreshDigest?.equals(refreshDigest) === false
}

/** Has the row the refresh token that was presented? */
function hasPresented({ refreshDigest }: TokenRow, { presented }: LateSettling): boolean {
  return presented !== null && refreshDigest?.equals(presented) === true
}

/**
 * Has a replay brought another refresh token before this answer came? Which of the two the provider has given last
 * nobody knows: the stored one is tried while the grace lasts.
 */
function isOvertaken(row: TokenRow, { claimedAt }: Claim, { refreshDigest }: Columns): boolean {
  if (!(refreshDigest instanceof Buffer) || row.refreshDigest?.equals(refreshDigest) === true) return false
  return row.status !== 'reauth_required' && row.refreshedAt !== null && row.refreshedAt >= claimedAt
}

/** Not so where another refresh token was saved in the place of the one that was presented. Along events_token. */
async function wasTakenOver(db: Db, { namespaceId, id }: TokenRow, { claimedAt }: Claim): Promise<boolean> {
  const takeOver = await db
    .selectFrom('events')
    .select('id')
    .where('namespaceId', '=', namespaceId)
    .where('tokenId', '=', id)
    .where('type', '=', 'renewal.taken_over')
    .where(sql<boolean>`facts @> ${JSON.stringify({ claimed_at: claimedAt.toISOString() })}::jsonb`)
    .executeTakeFirst()
  return takeOver !== undefined
}

async function makeDue(db: Db, { namespaceId, id }: TokenRow, { claimedAt }: Claim): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ lostAt: sql`coalesce(lost_at, ${claimedAt}::timestamptz)`, refreshDueAt: sql`now()` })
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
    .execute()
}

/** Where no token has the refresh token that was presented, whoever saves it again need not wait; its successor is lost. */
async function endSpent(
  db: Db,
  { claim: { token, claimedAt }, settlement, columns, presented }: LateSettling,
): Promise<void> {
  if (presented === null) return
  const { refreshDigest } = columns
  const isReplaced = refreshDigest instanceof Buffer && !refreshDigest.equals(presented)
  const { lostAt, retryAt } = settlement.token
  await endSpentLease(db, token, presented, {
    claimedAt,
    lostAt: isReplaced ? claimedAt : lostAt,
    retryAt: isWaitAskedFor(settlement.token) ? retryAt : null,
  })
}

/** A grant is dead whatever else was saved, but for another refresh token or client, or at another data centre. */
async function isDeadFor(row: TokenRow, late: LateSettling): Promise<boolean> {
  const { claim, settlement, keys, read } = late
  if (settlement.token.status !== 'reauth_required' || !hasPresented(row, late)) return false
  if (row.apiDomain !== claim.token.apiDomain) return false
  return clientOf(await read(row), keys).digest.equals(clientOf(claim.token, keys).digest)
}

async function bury(
  db: Db,
  { id }: TokenRow,
  { settlement: { token, event }, columns }: LateSettling,
): Promise<TokenRow | null> {
  const buried = updateOf(db, { ...token, id }, columns)
    .set(UNLEASED)
    .returningAll()
  await recordEvents(db, token, [event])
  return (await buried.executeTakeFirst()) ?? null
}

/** Whatever a peer made of the old refresh token in the meantime. */
const SOUND_COLUMNS = {
  status: 'active',
  errorCode: null,
  errorDetail: null,
  errorAt: null,
  errorAttempts: null,
  retryAt: null,
} as const

/**
 * However void the failure is, that its answer was lost is true of the refresh token, which is the same: it is replayed
 * while the provider's grace lasts. And so is that the provider has asked for a wait.
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
    .set(
      lostAt === null
        ? {}
        : { lostAt, refreshDueAt: sql`least(refresh_due_at, ${refreshDueAt}::timestamptz)` },
    )
    .set(isWaitAskedFor(settled) ? backOff : {})
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
    .where('fence', '=', fence)
    .execute()
}

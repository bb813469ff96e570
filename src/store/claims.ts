import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { Keyring } from '../domain/keyring.ts'
import type { Claim, RenewalTerms, Settlement } from '../domain/renewal.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import { recordEvents } from './record-events.ts'
import type { TokenRow } from './schema.ts'
import { changedColumns, keysFor, toToken } from './token-rows.ts'

type ClaimedRow = TokenRow & { now: Date; leaseSeconds: number }

/** The provider's terms say that the token may be renewed now. Each line is one of them. */
const CLAIMABLE = sql`
      refresh_token is not null and client_id is not null and status <> 'reauth_required'
      and (lease_until is null or lease_until <= now())
      and (limit_count is null or cardinality(renewals) < limit_count
        or renewals[cardinality(renewals) - limit_count + 1] <= now() - limit_window * interval '1 second')
      and (access_token is null or expires_at <= now() or refreshed_at is null
        or refreshed_at <= now() - least(min_interval, lifetime_seconds / 5) * interval '1 second')`

/** Along tokens_due, in the order in which they fall due. A save may move that before the end of a back-off. */
export async function claimDue(
  db: Db,
  keyring: Keyring,
  limit: number,
  terms: RenewalTerms[],
  busy: TokenRef[],
): Promise<Claim[]> {
  const namespaces = busy.map(({ namespaceId }) => namespaceId)
  const ids = busy.map(({ id }) => id)
  const due = sql`refresh_due_at <= now() and (retry_at is null or retry_at <= now())
      and (namespace_id, id) not in (select * from unnest(${namespaces}::uuid[], ${ids}::text[]))
    order by refresh_due_at limit ${limit} for update of tokens skip locked`
  return claimWhere(db, keyring, terms, due)
}

/** By the primary key. A caller who forces a renewal waits for no back-off, but for the provider's own limits. */
export async function claimOne(
  db: Db,
  keyring: Keyring,
  { namespaceId, id, version }: Token,
  terms: RenewalTerms,
  forced: boolean,
): Promise<Claim | null> {
  const one = sql`namespace_id = ${namespaceId} and id = ${id} and version = ${version}
      and (retry_at is null or retry_at <= now() or (${forced} and error_code <> 'provider_throttled'))
    for update of tokens`
  const [claim] = await claimWhere(db, keyring, [terms], one)
  return claim ?? null
}

/** One committed statement: it is the intent, and the proof that the storage takes writes before a token is spent. */
async function claimWhere(db: Db, keyring: Keyring, terms: RenewalTerms[], which: RawBuilder<unknown>) {
  const column = <Value>(value: (terms: RenewalTerms) => Value) => terms.map(value)
  const { rows } = await sql<ClaimedRow>`
    with terms as (
      select * from unnest(${column((term) => term.provider)}::text[], ${column((term) => term.leaseSeconds)}::float8[],
        ${column((term) => term.minIntervalSeconds)}::float8[], ${column((term) => term.limit?.count ?? null)}::int[],
        ${column((term) => term.limit?.windowSeconds ?? null)}::float8[]
      ) as terms (provider, lease_seconds, min_interval, limit_count, limit_window)
    ), claimable as (
      select namespace_id, id, lease_seconds, limit_count from tokens join terms using (provider)
      where ${CLAIMABLE} and ${which}
    )
    update tokens set
      fence = fence + 1,
      lease_until = now() + lease_seconds * interval '1 second',
      renewals = case when limit_count is null then '{}'
        else (renewals || now())[greatest(1, cardinality(renewals) + 2 - limit_count):] end
    from claimable where tokens.namespace_id = claimable.namespace_id and tokens.id = claimable.id
    returning tokens.*, now() as now, lease_seconds`.execute(db)
  return Promise.all(rows.map((row) => toClaim(row, keyring)))
}

async function toClaim(row: ClaimedRow, keyring: Keyring): Promise<Claim> {
  const keys = await keysFor(keyring, row.namespaceId, [row])
  return { token: toToken(row, keys), fence: row.fence, claimedAt: row.now, leaseSeconds: row.leaseSeconds }
}

/**
 * By the primary key, compare-and-set on the fence. Only columns that the outcome changes are written: a save that
 * came in the meantime keeps its own. A failure says nothing about a token that has been saved since.
 */
export async function settle(db: Db, keyring: Keyring, claim: Claim, { token, event }: Settlement) {
  const keys = await keyring.keysOf(token.namespaceId)
  const columns = changedColumns(token, claim.token, keys)
  const succeeded = event.type === 'renewal.succeeded'
  return db.transaction().execute(async (trx): Promise<Token | null> => {
    let update = trx
      .updateTable('tokens')
      .set({ ...columns, leaseUntil: null, version: sql`version + 1`, updatedAt: sql`now()` })
      .where('namespaceId', '=', token.namespaceId)
      .where('id', '=', token.id)
      .where('fence', '=', claim.fence)
      .where('leaseUntil', 'is not', null)
    if (succeeded) update = update.set({ replacedAccess: RING })
    else update = update.where('version', '=', claim.token.version)
    const [row] = await update.returningAll().execute()
    if (row === undefined) return settleLate(trx, keyring, claim, event, columns.accessDigest ?? null)
    if (columns.refreshDigest) await keepRotated(trx, token, columns.refreshDigest)
    await recordEvents(trx, token, [event])
    return toToken(row, await keysFor(keyring, token.namespaceId, [row]))
  })
}

/** The newest of the replaced access tokens first, 16 entries of 8 bytes. */
const RING = sql<Buffer>`case when access_digest is null then replaced_access
  else substring(substring(access_digest for 8) || replaced_access for 128) end`

/** A refresh token that another token claims as its own is kept all the same: losing it would lose the grant. */
async function keepRotated(db: Db, token: TokenRef, digest: Buffer): Promise<void> {
  await db
    .insertInto('refreshTokens')
    .values({ namespaceId: token.namespaceId, tokenId: token.id, digest })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** The token is gone, its fence has moved on, a save made the failure void, or this was committed before, unheard. */
async function settleLate(
  db: Db,
  keyring: Keyring,
  claim: Claim,
  event: Settlement['event'],
  digest: Buffer | null,
) {
  const { namespaceId, id } = claim.token
  const ofToken = db
    .selectFrom('tokens')
    .selectAll()
    .where('namespaceId', '=', namespaceId)
    .where('id', '=', id)
  const row = await ofToken.forUpdate().executeTakeFirst()
  const isSettled = row?.fence === claim.fence && row.leaseUntil === null
  if (row && (isSettled || (digest !== null && row.accessDigest?.equals(digest) === true))) {
    return toToken(row, await keysFor(keyring, namespaceId, [row]))
  }
  if (row?.fence === claim.fence) await endLease(db, claim)
  await recordEvents(db, claim.token, [{ ...event, type: 'renewal.dropped' }])
  return null
}

async function endLease(db: Db, { token, fence }: Claim): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ leaseUntil: null })
    .where('namespaceId', '=', token.namespaceId)
    .where('id', '=', token.id)
    .where('fence', '=', fence)
    .execute()
}

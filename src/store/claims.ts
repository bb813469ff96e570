import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import { isForMasterKey } from '../domain/keyring.ts'
import type { Claim, RenewalTerms } from '../domain/renewal.ts'
import type { ClaimOptions, DueOptions, DueTerms } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Claimer } from './claimer.ts'
import { clientOf, pausesOf } from './clients.ts'
import { extendSpentLease } from './spent-renewals.ts'
import { isPassing } from './storage-faults.ts'
import type { StoredJson, StoredToken } from './stored-token.ts'
import { readStored, STORED_TOKEN } from './stored-token.ts'
import { isSameToken, keysFor, toToken } from './token-rows.ts'
import { uuidV7 } from './uuid-v7.ts'

interface ClaimedRow {
  stored: StoredToken
  now: Date
  leaseSeconds: number
}

/** As `lossOf` in domain/renewal.ts. */
const LOST = sql`case when refreshed_at is null or lost_at > refreshed_at then lost_at end`

/** As `lossWithin` there. */
const LOST_IN_GRACE = sql`case when ${LOST} > grace_since then lost_at end`

/**
 * The provider's terms say that the token may be renewed now. Each line is one of them. A lease that is still there
 * has run out, by the second line: its owner was cut off, and what it sent is replayed without regard to the floor, and
 * to an owner with an answer in hand while the provider forgives the replay: its grace is shorter than that would take.
 * That owner may be the first of several: the provider's grace counts from what it sent.
 * No floor either for a replay of what was lost, nor for the renewal by which one makes sure, once that is due.
 */
const claimable = (takeOver: boolean) => sql`
      refresh_token is not null and client_id is not null and status <> 'reauth_required'
      and (lease_until is null or (lease_until <= now()
        and (${takeOver} or least(claimed_at, ${LOST}) > now() - replay_within * interval '1 second')))
      and (limit_count is null or cardinality(renewals) < limit_count
        or renewals[cardinality(renewals) - limit_count + 1] <= now() - limit_window * interval '1 second')
      and (access_token is null or expires_at <= now() or refreshed_at is null
        or lease_until is not null or lost_at > refreshed_at or (lost_at is not null and refresh_due_at <= now())
        or refreshed_at <= now() - least(min_interval, lifetime_seconds / 5) * interval '1 second')`

/** A replay does not wait for the end of a back-off, which did not hold back what it repeats. */
const PUT_OFF = sql`(retry_at > now() and lease_until is null)`

/**
 * Along tokens_due, in the order in which they fall due, the providers in turn: one that is down gives back its places
 * at once, and 6,000 of its tokens that were due at one moment held those of others back for 3 s.
 */
export async function claimDue(
  claimer: Claimer,
  terms: DueTerms[],
  { limit, busy, takeOver }: DueOptions,
): Promise<Claim[]> {
  const namespaces = busy.map(({ namespaceId }) => namespaceId)
  const ids = busy.map(({ id }) => id)
  // A save may move refresh_due_at before the end of a back-off.
  const due = sql`${claimable(takeOver)} and refresh_due_at <= now()
      and ${PUT_OFF} is not true
      and (namespace_id, id) not in (select * from unnest(${namespaces}::uuid[], ${ids}::text[]))
      and namespace_id <> all(${claimer.locked.ids()}::uuid[])
    order by refresh_due_at limit places for update skip locked`
  const rows = await claimWhere(claimer, terms, due, limit)
  const { claims, faults } = await toClaims(claimer, rows, false)
  // Those of a master key are told of by the keyring, and the storage is there.
  const others = faults.filter((fault) => !isForMasterKey(fault))
  if (claims.length === 0 && others.length > 0) throw others[0]
  return claims
}

/** By the primary key. A caller who forces a renewal waits for no back-off, but for the provider's own limits. */
export async function claimOne(
  claimer: Claimer,
  { namespaceId, id, version }: Token,
  terms: RenewalTerms,
  { forced, takeOver }: ClaimOptions,
): Promise<Claim | null> {
  const one = sql`${claimable(takeOver)} and namespace_id = ${namespaceId} and id = ${id} and version = ${version}
      and (${PUT_OFF} is not true or (${forced} and error_code <> 'provider_throttled'))
    for update`
  const [row] = await claimWhere(claimer, [{ ...terms, places: 1 }], one, 1)
  if (row === undefined) return null
  // By the keys of the namespace that was asked for: a statement that forgot to name it opens no token of another.
  const asked = { ...row, stored: { ...row.stored, namespaceId } }
  const { claims, faults } = await toClaims(claimer, [asked], forced)
  if (faults.length > 0) throw faults[0]
  return claims[0] ?? null
}

/**
 * One committed statement: it is the intent, and the proof that the storage takes writes before a token is spent. Who
 * is cut off leaves a lease behind; the next claim of the token finds it, records it and replays. So that the refresher
 * looks for it in time, a claim of a token that is not due makes it due when the lease runs out.
 */
async function claimWhere(
  { db, owner }: Claimer,
  terms: DueTerms[],
  which: RawBuilder<unknown>,
  limit: number,
): Promise<ClaimedRow[]> {
  const { rows } = await sql<Omit<ClaimedRow, 'stored'> & { token: StoredJson }>`
    with terms as (
      select * from unnest(${terms.map((term) => term.provider)}::text[], ${terms.map((term) => term.places)}::int[],
        ${terms.map((term) => term.leaseSeconds)}::float8[], ${terms.map((term) => term.replayLeaseSeconds)}::float8[],
        ${terms.map((term) => term.replaySeconds)}::float8[],
        ${terms.map((term) => term.minIntervalSeconds)}::float8[],
        ${terms.map((term) => term.limit?.count ?? null)}::int[],
        ${terms.map((term) => term.limit?.windowSeconds ?? null)}::float8[]
      ) as terms (of_provider, places, lease_of_first, lease_of_replay, replay_within, min_interval, limit_count, limit_window)
    ), claimable as (
      select found.*, now() + lease_seconds * interval '1 second' as until,
        now() - (lease_of_first + replay_within) * interval '1 second' as grace_since, limit_count
      from terms cross join lateral (
        select row_number() over (order by due_at) as turn, locked.* from (
          select namespace_id, id, refresh_due_at as due_at, fence as former_fence, claimed_at as former_claim,
            lease_owner as former_owner, lease_until is not null as cut_off,
            case when lease_until is null then lease_of_first else lease_of_replay end as lease_seconds
          from tokens where provider = of_provider and ${which}
        ) as locked
      ) as found
      order by turn, due_at limit ${limit}
    ), told as (
      insert into events (namespace_id, id, token_id, type, at, actor, facts)
      select namespace_id, ${uuidV7}, id, type, clock_timestamp(), ${REFRESHER}, facts
      from claimable cross join lateral (values
        ('renewal.taken_over', cut_off, jsonb_build_object(
          'from', former_owner, 'fence', former_fence, 'claimed_at', ${isoTime(sql`former_claim`)})),
        ('renewal.claimed', true, jsonb_build_object('by', ${owner}::text, 'fence', former_fence + 1))
      ) as story (type, happened, facts) where happened
    )
    update tokens set
      fence = fence + 1,
      lease_until = until,
      lease_owner = ${owner},
      claimed_at = now(),
      lost_at = case when cut_off then coalesce(${LOST_IN_GRACE}, date_trunc('milliseconds', claimed_at)) else lost_at end,
      refresh_due_at = least(refresh_due_at, until),
      renewals = case when limit_count is null then '{}'
        else (renewals || now())[greatest(1, cardinality(renewals) + 2 - limit_count):] end
    from claimable where tokens.namespace_id = claimable.namespace_id and tokens.id = claimable.id
    returning ${sql.raw(STORED_TOKEN)} as token, now() as now, lease_seconds`.execute(db)
  return rows.map(({ token, ...claimed }) => ({ ...claimed, stored: readStored(token) }))
}

const isoTime = (at: RawBuilder<unknown>) =>
  sql`to_char(${at} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

interface Opened {
  claims: Claim[]
  /** Why others of the rows make none. */
  faults: unknown[]
}

/** One namespace whose keys do not load must not keep the others from what has been claimed for them. */
async function toClaims(claimer: Claimer, rows: ClaimedRow[], forced: boolean): Promise<Opened> {
  const { db, keyring, locked } = claimer
  const opened = await Promise.allSettled(
    rows.map(async (row) => {
      const keys = await keysFor(keyring, row.stored.namespaceId, [row.stored])
      const token = toToken(row.stored, keys)
      return { row, token, client: clientOf(token, keys) }
    }),
  )
  const loaded = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const faults = opened.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []))
  const unopened = rows.flatMap(({ stored }, index) => {
    const result = opened[index]
    return result?.status === 'rejected' && isForMasterKey(result.reason) ? [stored] : []
  })
  for (const { namespaceId } of unopened) locked.note(namespaceId)
  // Where that fails, their leases end by themselves.
  if (unopened.length > 0) await giveBack(claimer, unopened).catch(() => undefined)
  // A pause that cannot be read costs a request; claims that nobody holds would be taken for requests that were cut off.
  const pauses = await pausesOf(
    db,
    loaded.map(({ client }) => client),
  ).catch((error: unknown) => {
    if (isPassing(error)) return []
    throw error
  })
  const claims = loaded.map(({ row, token, client }) => ({
    token,
    fence: token.fence,
    claimedAt: row.now,
    leaseSeconds: row.leaseSeconds,
    forced,
    pause: pauses.find(({ digest }) => digest.equals(client.digest)) ?? null,
  }))
  return { claims, faults }
}

/** By the primary key: nothing of these was sent, and whoever can open them need not wait for the lease. */
async function giveBack({ db, owner }: Claimer, tokens: readonly StoredToken[]): Promise<void> {
  await sql`
    with held as (
      select claimed.* from unnest(${tokens.map(({ namespaceId }) => namespaceId)}::uuid[],
        ${tokens.map(({ id }) => id)}::text[], ${tokens.map(({ fence }) => fence)}::int[]
      ) as unopened (of_namespace, of_id, of_fence)
      cross join lateral (
        select namespace_id, id from tokens
        where namespace_id = of_namespace and id = of_id and fence = of_fence and lease_owner = ${owner}
        for update skip locked
      ) as claimed
    ), given_back as (
      update tokens set lease_until = null, lease_owner = null, claimed_at = null,
        renewals = renewals[:cardinality(renewals) - 1]
      from held where tokens.namespace_id = held.namespace_id and tokens.id = held.id
      returning tokens.namespace_id, tokens.id, fence
    )
    insert into events (namespace_id, id, token_id, type, at, actor, facts)
    select namespace_id, ${uuidV7}, id, 'renewal.failed', clock_timestamp(), ${REFRESHER}, jsonb_build_object(
      'fence', fence, 'code', 'storage_unavailable', 'error', 'master_key_missing', 'sent', false)
    from given_back`.execute(db)
}

/** By the primary key; where another token has its refresh token by now, or none has, wherever the lease went with it. */
export async function extendLease({ db, keyring, owner }: Claimer, claim: Claim): Promise<void> {
  const { token, fence, claimedAt, leaseSeconds } = claim
  const extended = db
    .updateTable('tokens')
    .set({ leaseUntil: sql`now() + ${leaseSeconds} * interval '1 second'` })
    .where('namespaceId', '=', token.namespaceId)
    .where('leaseUntil', 'is not', null)
    .where('leaseOwner', '=', owner)
  const own = extended.where('id', '=', token.id).where('fence', '=', fence).where(isSameToken(token))
  const { numUpdatedRows } = await own.executeTakeFirst()
  if (numUpdatedRows > 0n || token.refreshToken === null) return
  const keys = await keyring.keysOf(token.namespaceId)
  const digest = keys.digest('refresh_token', token.refreshToken)
  const heir = sql<string>`(select token_id from refresh_tokens
    where namespace_id = ${token.namespaceId} and digest = ${digest})`
  await extended
    .where('id', '=', heir)
    .where(sql<boolean>`date_trunc('milliseconds', claimed_at) = ${claimedAt}`)
    .execute()
  await extendSpentLease(db, token, digest, { claimedAt, leaseSeconds, owner })
}

import { sql } from 'kysely'
import { CALLER_RETRY_SECONDS } from '../domain/retry.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'

/** Longer than the window of any provider's limit that we know. */
const KEPT_FOR = sql`interval '1 day'`
const SWEPT_AT_ONCE = 100

const LEFT = ['renewals', 'lease_until', 'lease_owner', 'claimed_at', 'lost_at', 'retry_at']
/** As `isWaitAskedFor` in domain/freshness.ts: what the vault waits for by itself is of no use to whoever comes later. */
const ASKED_UNTIL = `case when error_code = 'provider_throttled'
  or (error_code = 'provider_unavailable' and retry_at - error_at > interval '${CALLER_RETRY_SECONDS} seconds')
  then retry_at end`

/** The columns of tokens that `keepSpent` reads. */
export const LOSING = sql.raw(
  'namespace_id, refresh_digest, renewals, lease_until, lease_owner, claimed_at, lost_at, retry_at, error_code, error_at',
)

/** From `losing`, rows of tokens that are about to lose their refresh token. */
export const keepSpent = (losing: string) =>
  sql.raw(`
  insert into spent_renewals (namespace_id, digest, ${LEFT.join(', ')})
    select namespace_id, refresh_digest, renewals, lease_until, lease_owner, claimed_at, lost_at, asked_until
    from ${losing} cross join lateral (select ${ASKED_UNTIL} as asked_until) as asked
    where refresh_digest is not null
      and (renewals <> '{}' or coalesce(lease_until, lost_at, asked_until) is not null)
    on conflict (namespace_id, digest) do update set left_at = now(),
      ${LEFT.map((column) => `${column} = excluded.${column}`).join(', ')}`)

/** Keeps what is known of the renewals of the refresh token that this token is about to lose. By the primary key. */
export async function leaveRenewals(db: Db, { namespaceId, id }: TokenRef): Promise<void> {
  await sql`with losing as (
      select ${LOSING} from tokens where namespace_id = ${namespaceId} and id = ${id}
    ) ${keepSpent('losing')}`.execute(db)
}

/**
 * Gives a token that has got this refresh token the renewals that were left with it, one that is under way included, and
 * sweeps away what is too old to count. By the primary keys and spent_renewals_left.
 */
export async function takeUpRenewals(db: Db, { namespaceId, id }: TokenRef, digest: Buffer): Promise<void> {
  await sql`with outdated as (
      select namespace_id, digest from spent_renewals
      where namespace_id = ${namespaceId} and left_at < now() - ${KEPT_FOR} and digest <> ${digest}
      limit ${SWEPT_AT_ONCE} for update skip locked
    ), swept as (
      delete from spent_renewals using outdated
      where spent_renewals.namespace_id = outdated.namespace_id and spent_renewals.digest = outdated.digest
    ), left_behind as (
      delete from spent_renewals where namespace_id = ${namespaceId} and digest = ${digest} returning *
    )
    update tokens set renewals = left_behind.renewals, lease_until = left_behind.lease_until,
      lease_owner = left_behind.lease_owner, claimed_at = left_behind.claimed_at, lost_at = left_behind.lost_at,
      retry_at = greatest(tokens.retry_at, left_behind.retry_at),
      refresh_due_at = least(refresh_due_at, left_behind.lease_until,
        case when left_behind.lost_at is not null and status <> 'reauth_required' then now() end)
    from left_behind where tokens.namespace_id = ${namespaceId} and id = ${id}`.execute(db)
}

/** Of a renewal that is under way for a refresh token that no token has now. By the primary key. */
export async function extendSpentLease(
  db: Db,
  { namespaceId }: TokenRef,
  digest: Buffer,
  { claimedAt, leaseSeconds, owner }: { claimedAt: Date; leaseSeconds: number; owner: string },
): Promise<void> {
  await sql`update spent_renewals set lease_until = now() + ${leaseSeconds} * interval '1 second'
    where namespace_id = ${namespaceId} and digest = ${digest} and lease_until is not null
      and lease_owner = ${owner} and date_trunc('milliseconds', claimed_at) = ${claimedAt}`.execute(db)
}

/** The end of a renewal whose refresh token no token has. By the primary key. */
export async function endSpentLease(
  db: Db,
  { namespaceId }: TokenRef,
  digest: Buffer,
  { claimedAt, lostAt, retryAt }: { claimedAt: Date; lostAt: Date | null; retryAt: Date | null },
): Promise<void> {
  await sql`update spent_renewals set lease_until = null, lease_owner = null, claimed_at = null,
      lost_at = coalesce(${lostAt}::timestamptz, lost_at), retry_at = greatest(retry_at, ${retryAt}::timestamptz)
    where namespace_id = ${namespaceId} and digest = ${digest}
      and date_trunc('milliseconds', claimed_at) = ${claimedAt}`.execute(db)
}

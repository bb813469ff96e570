import { sql } from 'kysely'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'

/** Longer than the window of any provider's limit that we know. */
const KEPT_FOR = sql`interval '1 day'`
const SWEPT_AT_ONCE = 100

/** From `losing`, rows of tokens that are about to lose their refresh token. */
export const keepSpent = (losing: string) => sql`
  insert into spent_renewals (namespace_id, digest, renewals)
    select namespace_id, refresh_digest, renewals from ${sql.table(losing)} as losing
    where refresh_digest is not null and renewals <> '{}'
    on conflict (namespace_id, digest) do update set renewals = excluded.renewals, left_at = now()`

/** Keeps how often the refresh token was renewed lately that this token is about to lose. By the primary key. */
export async function leaveRenewals(db: Db, { namespaceId, id }: TokenRef): Promise<void> {
  await sql`with losing as (
      select namespace_id, refresh_digest, renewals from tokens where namespace_id = ${namespaceId} and id = ${id}
    ) ${keepSpent('losing')}`.execute(db)
}

/**
 * Gives a token that has got this refresh token the renewals that were left with it, and sweeps away what is too old to
 * count. By the primary keys and spent_renewals_left.
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
      delete from spent_renewals where namespace_id = ${namespaceId} and digest = ${digest} returning renewals
    )
    update tokens set renewals = left_behind.renewals from left_behind
    where namespace_id = ${namespaceId} and id = ${id}`.execute(db)
}

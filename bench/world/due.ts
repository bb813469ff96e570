import { sql } from 'kysely'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../src/store/database.ts'
import { namespaceIdOf, namespaceOf, tokenIdOf } from '../tokens.ts'

const POLL_MS = 50

/** So many tokens, and over how many seconds they fall due, the first one now. */
export interface Due {
  count: number
  spreadSeconds: number
}

/** Lets the first tokens fall due, as if they had never been renewed; `bench_due` keeps when. */
export async function makeDue(db: Db, { count, spreadSeconds }: Due): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index)
  const namespaces = indexes.map((index) => namespaceIdOf(namespaceOf(index)))
  await sql`drop table if exists bench_due`.execute(db)
  await sql`create table bench_due as
    select namespace_id, id, clock_timestamp() + (number - 1) * ${spreadSeconds / count}::float8 * interval '1 second' as due_at
    from unnest(${namespaces}::uuid[], ${indexes.map(tokenIdOf)}::text[]) with ordinality
      as due (namespace_id, id, number)`.execute(db)
  await sql`update tokens set refresh_due_at = due_at, refreshed_at = null from bench_due
    where tokens.namespace_id = bench_due.namespace_id and tokens.id = bench_due.id`.execute(db)
}

/** Resolves when all that was made due is renewed, and stored. */
export async function untilRenewed(db: Db): Promise<void> {
  for (;;) {
    const { rows } = await sql`select from bench_due join tokens using (namespace_id, id)
      where refreshed_at is null limit 1`.execute(db)
    if (rows.length === 0) return
    await pause(POLL_MS)
  }
}

/** From when a token fell due to when it was claimed: that is the moment which a renewal keeps as `refreshed_at`. */
export async function lagSeconds(db: Db): Promise<{ p50: number; p99: number; most: number }> {
  const { rows } = await sql<{ p50: number; p99: number; most: number }>`
    select percentile_cont(0.5) within group (order by lag) as p50,
      percentile_cont(0.99) within group (order by lag) as p99, max(lag) as most
    from (select extract(epoch from refreshed_at - due_at)::float8 as lag
      from bench_due join tokens using (namespace_id, id)) as lags`.execute(db)
  const [lags] = rows
  if (lags === undefined) throw new Error('nothing was due')
  return lags
}

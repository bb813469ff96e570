import { sql } from 'kysely'
import { short } from '../report/case-result.ts'
import type { BenchDatabase } from './database.ts'

const TABLES = ['tokens', 'refresh_tokens', 'events']

/** What a token takes on disk: lines for a table. */
export async function bytesPerToken({ db, tokens }: BenchDatabase): Promise<string[][]> {
  const { rows } = await sql<{ name: string; bytes: number }>`
    select relname as name, (pg_relation_size(pg_class.oid) + coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0))::float8 as bytes
    from pg_class left join pg_index on indexrelid = pg_class.oid
    where coalesce(indrelid, pg_class.oid) = any(${TABLES}::regclass[])
    order by bytes desc`.execute(db)
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    ['on disk', 'bytes a token'],
    ...[...rows, { name: 'all of it', bytes: total }].map(({ name, bytes }) => [name, short(bytes / tokens)]),
  ]
}

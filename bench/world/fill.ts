import { availableParallelism } from 'node:os'
import pg from 'pg'
import { startChild } from '../processes/child.ts'
import type { Part } from './fill-process.ts'
import { withoutIndexes } from './without-indexes.ts'

export type FillOptions = Pick<Part, 'url' | 'masterKeys' | 'handWrittenKey' | 'used'> & { tokens: number }

const HAND_WRITTEN_TABLE = `
  create table hand_written (
    id uuid primary key,
    namespace_id uuid not null,
    user_name text not null,
    client_id text not null,
    client_secret bytea,
    refresh_token bytea,
    refresh_hash bytea,
    access_token bytea not null,
    scope text,
    api_domain text,
    expires_at timestamptz not null
  );
  create unique index hand_written_user on hand_written (namespace_id, user_name);
  create index hand_written_refresh on hand_written (namespace_id, refresh_hash)`

/**
 * Fills the tables by the short way: rows as the production code seals them, inserted by COPY, and the indexes made
 * afterwards. What the hand-written service keeps is the same data.
 */
export async function fill(options: FillOptions): Promise<void> {
  const pool = new pg.Pool({ connectionString: options.url })
  await pool.query(HAND_WRITTEN_TABLE)
  await withoutIndexes(pool, ['tokens', 'hand_written'], () => fillByParts(options))
  await fillRefreshTokens(pool)
  await pool.query('vacuum (analyze)')
  await pool.query('checkpoint')
  await pool.end()
}

async function fillByParts({ tokens, ...common }: FillOptions): Promise<void> {
  const parts = availableParallelism()
  const boundary = (part: number) => Math.floor((tokens * part) / parts)
  await Promise.all(
    Array.from({ length: parts }, async (_, part) => {
      const { child } = await startChild(new URL('./fill-process.ts', import.meta.url))
      await child.ask({ ...common, first: boundary(part), end: boundary(part + 1) } satisfies Part)
      await child.stop()
    }),
  )
}

/** In the order of its primary key; what it refers to is there. */
async function fillRefreshTokens(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  await client.query('set session_replication_role = replica')
  await client.query(`insert into refresh_tokens (namespace_id, digest, token_id)
    select namespace_id, refresh_digest, id from tokens order by namespace_id, refresh_digest`)
  client.release(true)
}

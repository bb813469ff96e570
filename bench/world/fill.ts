import pg from 'pg'
import { hash, encrypt } from '../baselines/hand-written-secrets.ts'
import type { Keyring, NamespaceKeys } from '../../src/domain/keyring.ts'
import { changedColumns } from '../../src/store/token-rows.ts'
import {
  accessTokenOf,
  CLIENT_SECRET,
  NAMESPACES,
  namespaceIdOf,
  namespaceOf,
  refreshTokenOf,
} from '../tokens.ts'
import type { Row } from './copy-in.ts'
import { copyIn } from './copy-in.ts'
import { tokenOf } from './token-of.ts'
import { withoutIndexes } from './without-indexes.ts'

const BATCH = 1_000

/** Of so many tokens a tenth is unused, at the end: whole batches. */
export const usedOf = (tokens: number) => tokens - Math.floor(tokens / 10 / BATCH) * BATCH

/** While one batch is inserted, the next one is sealed. */
const BATCHES_AT_ONCE = 2

export interface FillParts {
  url: string
  keyring: Keyring
  handWrittenKey: Buffer
}

/**
 * Fills the tables with tokens by the short way: rows as the production code seals them, but inserted by the thousand,
 * and the indexes made afterwards. What the hand-written service keeps is the same data.
 */
export async function fill({ url, keyring, handWrittenKey }: FillParts, tokens: number): Promise<void> {
  const namespaces = await Promise.all(
    Array.from({ length: NAMESPACES }, (_, namespace) => keyring.keysOf(namespaceIdOf(namespace))),
  )
  const pool = new pg.Pool({ connectionString: url })
  await pool.query(HAND_WRITTEN_TABLE)
  await withoutIndexes(pool, ['tokens', 'hand_written'], async () => {
    const batches = Array.from({ length: Math.ceil(tokens / BATCH) }, (_, batch) => batch * BATCH).values()
    const insertBatches = async () => {
      const client = await pool.connect()
      for (const first of batches) {
        const indexes = Array.from({ length: Math.min(BATCH, tokens - first) }, (_, offset) => first + offset)
        const isUsed = first < usedOf(tokens)
        await copyIn(
          client,
          'tokens',
          indexes.map((index) => vaultRow(index, namespaces, isUsed)),
        )
        await copyIn(
          client,
          'hand_written',
          indexes.map((index) => handWrittenRow(index, handWrittenKey)),
        )
      }
      client.release()
    }
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, insertBatches))
  })
  await fillRefreshTokens(pool)
  await pool.query('vacuum (analyze)')
  await pool.query('checkpoint')
  await pool.end()
}

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

function vaultRow(index: number, namespaces: NamespaceKeys[], isUsed: boolean): Row {
  const keys = namespaces[namespaceOf(index)]
  if (keys === undefined) throw new Error(`token ${index} has no namespace`)
  return changedColumns({ ...tokenOf(index), lastUsedAt: isUsed ? new Date() : null }, null, keys)
}

function handWrittenRow(index: number, key: Buffer): Row {
  const { id, namespaceId, userName, clientId, scope, apiDomain, expiresAt } = tokenOf(index)
  const refreshToken = refreshTokenOf(index)
  return {
    ...{ id, namespaceId, userName, clientId },
    clientSecret: encrypt(key, CLIENT_SECRET),
    refreshToken: encrypt(key, refreshToken),
    refreshHash: hash(refreshToken),
    accessToken: encrypt(key, accessTokenOf(index)),
    ...{ scope, apiDomain, expiresAt },
  }
}

/** In the order of its primary key; what it refers to is there. */
async function fillRefreshTokens(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  await client.query('set session_replication_role = replica')
  await client.query(`insert into refresh_tokens (namespace_id, digest, token_id)
    select namespace_id, refresh_digest, id from tokens order by namespace_id, refresh_digest`)
  client.release(true)
}

import { sql } from 'kysely'
import { unauthorized } from '../domain/errors.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordAll } from './record-events.ts'
import type { Schema } from './schema.ts'
import { leaveRenewals, takeUpRenewals } from './spent-renewals.ts'
import { COLUMN_NAMES } from './stored-token.ts'
import type { Columns } from './token-rows.ts'
import { changedColumns, toRecord } from './token-rows.ts'

/** What a save does, and the keys to seal with. */
export interface Planned {
  plan: SavePlan
  keys: NamespaceKeys
}

interface Change {
  token: Token
  columns: Columns
}

/** Carries out plans whose tokens are all different ones: where one fails, the transaction has failed. */
export async function carryOut(trx: Db, planned: readonly Planned[]): Promise<void> {
  const inserts: Change[] = []
  const updates: Change[] = []
  for (const { plan, keys } of planned) {
    const { token, replaces, absorbed } = plan
    if (absorbed !== null) await absorb(trx, absorbed, token)
    if (token === replaces) continue
    const change = { token, columns: changedColumns(token, replaces, keys) }
    if (replaces === null) inserts.push(change)
    else updates.push(change)
  }
  await insert(trx, inserts)
  await update(trx, updates)
  for (const { token, columns } of [...inserts, ...updates]) {
    if (columns.refreshDigest) await keepRefreshDigest(trx, token, columns.refreshDigest)
    if (columns.refreshDigest) await takeUpRenewals(trx, token, columns.refreshDigest)
  }
  await recordAll(
    trx,
    planned.map(({ plan: { token, events } }) => ({ scene: token, events })),
  )
}

/** The absorbed token's refresh tokens, former ones too, find the token that it became part of. */
async function absorb(trx: Db, absorbed: Token, into: Token): Promise<void> {
  await leaveRenewals(trx, absorbed)
  await trx
    .updateTable('refreshTokens')
    .set({ tokenId: into.id })
    .where('namespaceId', '=', absorbed.namespaceId)
    .where('tokenId', '=', absorbed.id)
    .execute()
  await trx
    .deleteFrom('tokens')
    .where('namespaceId', '=', absorbed.namespaceId)
    .where('id', '=', absorbed.id)
    .execute()
}

async function insert(trx: Db, inserts: readonly Change[]): Promise<void> {
  if (inserts.length === 0) return
  for (const namespaceId of new Set(inserts.map(({ token }) => token.namespaceId)))
    if (!(await holdNamespace(trx, namespaceId))) throw unauthorized()
  const rows = inserts.map(({ columns }) => columns as Schema['tokens'] & typeof columns)
  await trx.insertInto('tokens').values(rows).execute()
}

const ALL = Object.values(COLUMN_NAMES).join(', ')
/** A column that a change does not name keeps its value. */
const UPDATE = `/* update_tokens */
  update tokens set (${ALL}) = (select ${ALL} from jsonb_populate_record(tokens, change))
  from jsonb_array_elements($1::jsonb) as change
  where namespace_id = (change ->> 'namespace_id')::uuid and id = change ->> 'id'`

/** By the primary key. */
async function update(trx: Db, updates: readonly Change[]): Promise<void> {
  if (updates.length === 0) return
  for (const { token, columns } of updates) if (columns.refreshDigest) await leaveRenewals(trx, token)
  const changes = updates.map(({ token: { namespaceId, id }, columns }) => ({
    ...toRecord(columns),
    namespace_id: namespaceId,
    id,
  }))
  await runPrepared(trx, UPDATE, [JSON.stringify(changes)])
}

/** A digest that belongs to another token is a unique violation: a race, and the next try sees its owner. */
async function keepRefreshDigest(trx: Db, token: Token, digest: Buffer): Promise<void> {
  await sql`insert into refresh_tokens (namespace_id, token_id, digest)
    select ${token.namespaceId}::uuid, ${token.id}, ${digest}::bytea
    where ${token.id} is distinct from (select token_id from refresh_tokens
      where namespace_id = ${token.namespaceId} and digest = ${digest}::bytea)`.execute(trx)
}

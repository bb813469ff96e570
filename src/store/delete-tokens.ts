import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { Event } from '../domain/event.ts'
import type { IfVersion } from '../domain/if-version.ts'
import { checkVersion } from '../domain/if-version.ts'
import type { TokenFilter } from '../domain/token-store.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import { filtered } from './read-tokens.ts'
import { keepSpent, LOSING } from './spent-renewals.ts'
import { isSameToken } from './token-rows.ts'
import { uuidV7 } from './uuid-v7.ts'

/** By the primary key. */
export async function deleteToken(
  db: Db,
  { namespaceId, id }: TokenRef,
  event: Event,
  ifVersion: IfVersion,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const found = trx
      .selectFrom('tokens')
      .select('version')
      .where((where) => where.and({ namespaceId, id }))
    const stored = await found.forUpdate().executeTakeFirst()
    if (stored === undefined) return false
    checkVersion(stored.version, ifVersion)
    return (await deleteWhere(trx, namespaceId, sql`id = ${id}`, event)) > 0
  })
}

/** By the primary key. Every save and settlement moves the version, every claim the fence. */
export async function deleteUntouched(db: Db, token: Token, event: Event): Promise<boolean> {
  const { namespaceId, id, version, fence } = token
  const which = sql`id = ${id} and version = ${version} and fence = ${fence} and ${isSameToken(token)}`
  return (await deleteWhere(db, namespaceId, which, event)) > 0
}

/** In one transaction, but a statement at a time that stays well below the limit on statements. */
const DELETED_AT_ONCE = 5_000

export async function deleteMany(
  db: Db,
  namespaceId: string,
  filter: TokenFilter,
  event: Event,
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const some = filtered(trx.selectFrom('tokens').where('namespaceId', '=', namespaceId), filter)
    const ids = some.select('id').orderBy('id').limit(DELETED_AT_ONCE).forUpdate()
    for (let total = 0; ;) {
      const deleted = await deleteWhere(trx, namespaceId, sql`id = any(array(${ids}))`, event)
      total += deleted
      if (deleted < DELETED_AT_ONCE) return total
    }
  })
}

/** One statement: what is deleted, how often it was renewed lately, and an event of each; resolves with their number. */
async function deleteWhere(
  db: Db,
  namespaceId: string,
  which: RawBuilder<unknown>,
  { type, actor }: Event,
): Promise<number> {
  const { numAffectedRows } = await sql`
    with gone as (
      delete from tokens where namespace_id = ${namespaceId} and ${which}
      returning id, ${LOSING}
    ), spent as (${keepSpent('gone')})
    insert into events (namespace_id, id, token_id, type, at, actor)
    select namespace_id, ${uuidV7}, id, ${type}, clock_timestamp(), ${actor} from gone`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

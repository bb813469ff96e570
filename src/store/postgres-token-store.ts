import { sql } from 'kysely'
import type { Event } from '../domain/event.ts'
import type { IfVersion } from '../domain/if-version.ts'
import { checkVersion } from '../domain/if-version.ts'
import type { Keyring } from '../domain/keyring.ts'
import type { TokenFilter, TokenStore } from '../domain/token-store.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import { claimDue, claimOne, extendLease } from './claims.ts'
import { countDeath } from './clients.ts'
import type { Db } from './database.ts'
import { createKeyedQueue } from './keyed-queue.ts'
import { filtered, findBy, getToken, listTokens } from './read-tokens.ts'
import { recordAlone, recordEvents } from './record-events.ts'
import { saveToken } from './save-token.ts'
import { settle } from './settle.ts'
import { guardStorage } from './storage-faults.ts'
import { uuidV7 } from './uuid-v7.ts'

export interface PostgresTokenStoreParts {
  /** Callers and renewals have connections of their own, so that neither starves the other. */
  callers: Db
  renewals: Db
  keyring: Keyring
  /** The name of this replica, as events tell it. */
  owner: string
}

/** Tokens in Postgres. */
export function createPostgresTokenStore(parts: PostgresTokenStoreParts): TokenStore {
  const { callers, keyring } = parts
  const claimer = { db: parts.renewals, keyring, owner: parts.owner }
  const saving = { db: callers, keyring, queue: createKeyedQueue() }
  return guardStorage<TokenStore>({
    findBy: (namespaceId, criterion, narrowing) =>
      findBy(callers, keyring, namespaceId, criterion, narrowing),
    get: (ref) => getToken(callers, keyring, ref),
    list: (namespaceId, page) => listTokens(callers, keyring, namespaceId, page),
    save: (namespaceId, save, plan) => saveToken(saving, namespaceId, save, plan),
    delete: (ref, event, ifVersion) => deleteToken(callers, ref, event, ifVersion),
    deleteUntouched: (token, event) => deleteUntouched(callers, token, event),
    record: (ref, event) => recordAlone(callers, ref, event),
    deleteMany: (namespaceId, filter, event) => deleteMany(callers, namespaceId, filter, event),
    touch: (ref) => touch(callers, ref),
    claimDue: (terms, options) => claimDue(claimer, terms, options),
    claim: (token, terms, options) => claimOne(claimer, token, terms, options),
    extend: (claim) => extendLease(claimer, claim),
    countDeath: (claim) => countDeath(claimer, claim),
    settle: (claim, settlement) => settle(claimer, claim, settlement),
  })
}

/** By the primary key. */
async function deleteToken(db: Db, ref: TokenRef, event: Event, ifVersion: IfVersion): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const place = { namespaceId: ref.namespaceId, id: ref.id }
    const found = trx
      .selectFrom('tokens')
      .select('version')
      .where((where) => where.and(place))
    const stored = await found.forUpdate().executeTakeFirst()
    if (stored === undefined) return false
    checkVersion(stored.version, ifVersion)
    await trx
      .deleteFrom('tokens')
      .where((where) => where.and(place))
      .execute()
    await recordEvents(trx, ref, [event])
    return true
  })
}

/** By the primary key. Every save and settlement moves the version, every claim the fence. */
async function deleteUntouched(db: Db, token: Token, event: Event): Promise<boolean> {
  const { namespaceId, id, version, fence } = token
  return db.transaction().execute(async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('tokens')
      .where((where) => where.and({ namespaceId, id, version, fence }))
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    await recordEvents(trx, token, [event])
    return true
  })
}

/** In one transaction, but a statement at a time that stays well below the limit on statements. */
const DELETED_AT_ONCE = 5_000

async function deleteMany(db: Db, namespaceId: string, filter: TokenFilter, event: Event): Promise<number> {
  return db.transaction().execute(async (trx) => {
    for (let total = 0; ;) {
      const deleted = await deleteSome(trx, namespaceId, filter, event)
      total += deleted
      if (deleted < DELETED_AT_ONCE) return total
    }
  })
}

async function deleteSome(trx: Db, namespaceId: string, filter: TokenFilter, event: Event): Promise<number> {
  const some = filtered(trx.selectFrom('tokens').where('namespaceId', '=', namespaceId), filter)
  const gone = trx
    .deleteFrom('tokens')
    .where('namespaceId', '=', namespaceId)
    .where('id', 'in', some.select('id').orderBy('id').limit(DELETED_AT_ONCE).forUpdate())
    .returning('id')
  const result = await trx
    .with('gone', () => gone)
    .insertInto('events')
    .columns(['namespaceId', 'id', 'tokenId', 'type', 'at', 'actor', 'facts'])
    .expression((from) =>
      from
        .selectFrom('gone')
        .select([
          sql<string>`${namespaceId}::uuid`.as('namespaceId'),
          uuidV7.as('id'),
          'gone.id as tokenId',
          sql<string>`${event.type}::text`.as('type'),
          sql<Date>`clock_timestamp()`.as('at'),
          sql<string>`${event.actor}::text`.as('actor'),
          sql<string>`'{}'::jsonb`.as('facts'),
        ]),
    )
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0n)
}

const HOUR = sql`interval '1 hour'`

async function touch(db: Db, ref: TokenRef): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ lastUsedAt: sql`now()` })
    .where('namespaceId', '=', ref.namespaceId)
    .where('id', '=', ref.id)
    .where((where) =>
      where.or([where('lastUsedAt', 'is', null), sql<boolean>`last_used_at < now() - ${HOUR}`]),
    )
    .execute()
}

import { createHash } from 'node:crypto'
import type { RawBuilder, Transaction } from 'kysely'
import { sql } from 'kysely'
import { unauthorized } from '../domain/errors.ts'
import type { Keyring, NamespaceKeys } from '../domain/keyring.ts'
import type { Candidate, SaveRequest } from '../domain/save.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import type { KeyedQueue } from './keyed-queue.ts'
import { recordEvents } from './record-events.ts'
import type { Schema, TokenRow } from './schema.ts'
import { leaveRenewals, takeUpRenewals } from './spent-renewals.ts'
import { sqlState } from './storage-faults.ts'
import { changedColumns, keysFor, toToken, userKey } from './token-rows.ts'

type Plan = (candidates: Candidate[], now: Date) => SavePlan

const MOST_TRIES = 5
/**
 * A race that the next try sees the end of: unique violation, deadlock, serialization failure; a lock that took too
 * long, since saves of one identity may queue for longer than a lock may take, and give their connection back meanwhile.
 */
const RACES = new Set(['23505', '40P01', '40001', '55P03'])

/** Everything by which a save can meet a stored token. */
interface Identities {
  id: string | null
  userKey: Buffer | null
  grantDigest: Buffer | null
  refreshDigest: Buffer | null
  accessDigest: Buffer | null
}

export interface SaveParts {
  db: Db
  keyring: Keyring
  queue: KeyedQueue
}

/**
 * Saves that share an identity wait for each other; saves that do not never meet. They wait in this process first, so
 * that a crowd at one identity holds one connection of each replica and leaves the others to other callers.
 */
export async function saveToken(
  { db, keyring, queue }: SaveParts,
  namespaceId: string,
  save: SaveRequest,
  plan: Plan,
) {
  const identities = identitiesOf(save, await keyring.keysOf(namespaceId))
  const locks = lockKeys(namespaceId, identities)
  return queue(locks, async () => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await db.transaction().execute(async (trx) => {
          await sql`select pg_advisory_xact_lock(key) from unnest(${locks}::bigint[]) as key`.execute(trx)
          return attempt(trx, keyring, namespaceId, identities, plan)
        })
      } catch (error) {
        const state = sqlState(error)
        if (state === null || !RACES.has(state) || tries === MOST_TRIES) throw error
      }
    }
  })
}

function identitiesOf(save: SaveRequest, keys: NamespaceKeys): Identities {
  return {
    id: save.id,
    userKey: save.userName === null ? null : userKey(save.userName),
    grantDigest: save.grantToken && keys.digest('grant_token', save.grantToken),
    refreshDigest: save.refreshToken && keys.digest('refresh_token', save.refreshToken),
    accessDigest: save.accessToken && keys.digest('access_token', save.accessToken),
  }
}

async function attempt(
  trx: Transaction<Schema>,
  keyring: Keyring,
  namespaceId: string,
  identities: Identities,
  plan: Plan,
): Promise<{ plan: SavePlan; now: Date }> {
  const rows = await selectCandidates(trx, namespaceId, identities)
  const keys = await keysFor(keyring, namespaceId, rows)
  const now = rows[0]?.now ?? (await clock(trx))
  const planned = plan(
    rows.map((row) => toCandidate(row, identities, keys)),
    now,
  )
  await carryOut(trx, planned, keys)
  return { plan: planned, now }
}

/** In their order, so that no two saves wait for each other in a circle. Held until the commit. */
function lockKeys(namespaceId: string, identities: Identities): string[] {
  return Object.entries(identities)
    .filter(([, value]) => value !== null)
    .map(([kind, value]) => lockKey(namespaceId, kind, value as string | Buffer))
    .sort((one, other) => (one < other ? -1 : 1))
    .map(String)
}

function lockKey(namespaceId: string, kind: string, value: string | Buffer): bigint {
  return createHash('sha256').update(`${namespaceId}:${kind}:`).update(value).digest().readBigInt64BE()
}

type CandidateRow = TokenRow & { now: Date; holdsRefresh: boolean }

/**
 * By the primary key, tokens_identity, tokens_grant, tokens_access and refresh_tokens' primary key: each gives ids, and
 * the ids give the rows. Of one condition with `or` between them, a plan for a namespace as small as most of them goes
 * through all of it.
 */
async function selectCandidates(trx: Transaction<Schema>, namespaceId: string, given: Identities) {
  const ofNamespace = sql`from tokens where namespace_id = ${namespaceId}`
  const holder = sql`(select token_id from refresh_tokens
    where namespace_id = ${namespaceId} and digest = ${given.refreshDigest}::bytea)`
  const named = sql`select ${given.id}::text union all select ${holder}
    union all select id ${ofNamespace} and grant_digest = ${given.grantDigest}::bytea
    union all select id ${ofNamespace} and access_digest = ${given.accessDigest}::bytea`
  const ofUser = (user: RawBuilder<unknown>) => sql`select id ${ofNamespace} and user_key = ${user}`
  // A save that names no user may still give its token an identity that another token of the same user has.
  const ofSame =
    given.userKey !== null
      ? ofUser(sql`${given.userKey}`)
      : sql`select same.id from tokens as named cross join lateral (${ofUser(sql`named.user_key`)} offset 0) as same
          where named.namespace_id = ${namespaceId} and named.id = any(array(${named}))`
  const { rows } = await sql<CandidateRow>`
    select *, clock_timestamp() as now, coalesce(id = ${holder}, false) as holds_refresh ${ofNamespace}
      and id = any(array(${named} union all ${ofSame}))
    order by id for update`.execute(trx)
  return rows
}

async function clock(trx: Transaction<Schema>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(trx)
  return rows[0]?.now ?? new Date()
}

function toCandidate(row: CandidateRow, given: Identities, keys: NamespaceKeys): Candidate {
  const holdsRefresh = row.holdsRefresh
  return {
    token: toToken(row, keys),
    shares: {
      id: row.id === given.id,
      user_name: same(row.userKey, given.userKey),
      grant_token: same(row.grantDigest, given.grantDigest),
      refresh_token: holdsRefresh,
      access_token: same(row.accessDigest, given.accessDigest),
    },
    formerRefreshToken: holdsRefresh && !same(row.refreshDigest, given.refreshDigest),
    replacedAccessToken: given.accessDigest !== null && wasReplaced(row.replacedAccess, given.accessDigest),
  }
}

function same(one: Buffer | null, other: Buffer | null): boolean {
  return one !== null && other !== null && one.equals(other)
}

/** As many bytes of a digest as the ring of replaced access tokens keeps. */
const RING_ENTRY_BYTES = 8

function wasReplaced(ring: Buffer, digest: Buffer): boolean {
  const entry = digest.subarray(0, RING_ENTRY_BYTES)
  for (let offset = 0; offset < ring.length; offset += RING_ENTRY_BYTES) {
    if (ring.subarray(offset, offset + RING_ENTRY_BYTES).equals(entry)) return true
  }
  return false
}

async function carryOut(trx: Transaction<Schema>, plan: SavePlan, keys: NamespaceKeys): Promise<void> {
  const { token, replaces, absorbed, events } = plan
  if (absorbed !== null) await absorb(trx, absorbed, token)
  if (token !== replaces) await write(trx, token, replaces, keys)
  await recordEvents(trx, token, events)
}

/** The absorbed token's refresh tokens, former ones too, find the token that it became part of. */
async function absorb(trx: Transaction<Schema>, absorbed: Token, into: Token): Promise<void> {
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

async function write(trx: Transaction<Schema>, token: Token, replaces: Token | null, keys: NamespaceKeys) {
  const columns = changedColumns(token, replaces, keys)
  if (replaces === null) {
    if (!(await holdNamespace(trx, token.namespaceId))) throw unauthorized()
    await trx
      .insertInto('tokens')
      .values(columns as Schema['tokens'] & typeof columns)
      .execute()
  } else {
    if (columns.refreshDigest) await leaveRenewals(trx, token)
    await trx
      .updateTable('tokens')
      .set(columns)
      .where('namespaceId', '=', token.namespaceId)
      .where('id', '=', token.id)
      .execute()
  }
  if (columns.refreshDigest) {
    await keepRefreshDigest(trx, token, columns.refreshDigest)
    await takeUpRenewals(trx, token, columns.refreshDigest)
  }
}

/** A digest that belongs to another token is a unique violation: a race, and the next try sees its owner. */
async function keepRefreshDigest(trx: Transaction<Schema>, token: Token, digest: Buffer): Promise<void> {
  await sql`insert into refresh_tokens (namespace_id, token_id, digest)
    select ${token.namespaceId}::uuid, ${token.id}, ${digest}::bytea
    where ${token.id} is distinct from (select token_id from refresh_tokens
      where namespace_id = ${token.namespaceId} and digest = ${digest}::bytea)`.execute(trx)
}

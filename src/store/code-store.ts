import { sql } from 'kysely'
import { unauthorized, VaultError } from '../domain/errors.ts'
import type { CodeClaim, CodeClaimOptions, CodeRef, CodeStore } from '../domain/exchange.ts'
import type { Event } from '../domain/event.ts'
import type { Keyring } from '../domain/keyring.ts'
import { Secret } from '../domain/secret.ts'
import type { Db } from './database.ts'
import { holdNamespace } from './namespaces.ts'
import { recordEvents } from './record-events.ts'
import { guardStorage } from './storage-faults.ts'

/** Codes that are being traded, or lately were, in Postgres. Always by the primary key. */
export function createCodeStore(db: Db, keyring: Keyring): CodeStore {
  const placeOf = async (code: CodeRef) => ({
    namespaceId: code.namespaceId,
    digest: await digestOf(keyring, code),
  })
  return guardStorage<CodeStore>({
    claim: async (code, options) => claim(db, code, await digestOf(keyring, code), options),
    async read(code) {
      const place = await placeOf(code)
      const row = await db
        .selectFrom('exchanges')
        .select(['tokenId', 'failure', sql<boolean>`lease_until > now()`.as('isHeld')])
        .where((where) => where.and(place))
        .executeTakeFirst()
      if (row === undefined) return null
      if (row.tokenId !== null) return { namespaceId: code.namespaceId, id: row.tokenId }
      if (row.isHeld) return 'under_way'
      return row.failure ? new VaultError(row.failure.code, row.failure.detail, row.failure.facts) : null
    },
    fail: async (claimed, failure, uncertain, event) =>
      fail(db, claimed, await digestOf(keyring, claimed.code), { failure, uncertain, event }),
    async succeed(code, token) {
      const place = await placeOf(code)
      await db
        .updateTable('exchanges')
        .set({ tokenId: token.id, failure: null, leaseUntil: sql`now()` })
        .where((where) => where.and(place))
        .execute()
    },
    async end({ code, fence }) {
      const place = await placeOf(code)
      await db
        .deleteFrom('exchanges')
        .where((where) => where.and({ ...place, fence }))
        .execute()
    },
  })
}

async function digestOf(keyring: Keyring, { namespaceId, provider, clientId, grantToken }: CodeRef) {
  const keys = await keyring.keysOf(namespaceId)
  return keys.digest('exchange', new Secret(JSON.stringify([provider, clientId, grantToken.reveal()])))
}

/** The rows of codes that live no more: no provider keeps one alive for longer than minutes. Along exchanges_ended. */
async function sweep(trx: Db, namespaceId: string): Promise<void> {
  await sql`delete from exchanges where (namespace_id, digest) in (
    select namespace_id, digest from exchanges
    where namespace_id = ${namespaceId} and lease_until < now() - interval '1 hour'
    limit 100 for update skip locked)`.execute(trx)
}

/** Traded is traded. A claim that ended with neither token nor failure is that of an owner who died: the code may be spent. */
async function claim(
  db: Db,
  code: CodeRef,
  digest: Buffer,
  { leaseSeconds, takeOver }: CodeClaimOptions,
): Promise<CodeClaim | null> {
  const { namespaceId } = code
  return db.transaction().execute(async (trx) => {
    if (!(await holdNamespace(trx, namespaceId))) throw unauthorized()
    await sweep(trx, namespaceId)
    const { rows } = await sql<{ fence: number; uncertain: boolean; now: Date }>`
      insert into exchanges (namespace_id, digest, fence, lease_until, uncertain)
      values (${namespaceId}, ${digest}, 1, now() + ${leaseSeconds} * interval '1 second', false)
      on conflict (namespace_id, digest) do update set fence = exchanges.fence + 1, lease_until = excluded.lease_until,
        uncertain = exchanges.uncertain or exchanges.failure is null, failure = null
      where exchanges.token_id is null and exchanges.lease_until <= now() and (exchanges.failure is not null or ${takeOver})
      returning fence, uncertain, now() as now`.execute(trx)
    const [row] = rows
    if (row === undefined) return null
    return { code, fence: row.fence, claimedAt: row.now, uncertain: row.uncertain }
  })
}

/** Compare-and-set on the fence. What was committed before, unheard, is not told twice. */
async function fail(
  db: Db,
  { code: { namespaceId }, fence }: CodeClaim,
  digest: Buffer,
  { failure, uncertain, event }: { failure: VaultError; uncertain: boolean; event: Event },
): Promise<void> {
  const { code, message: detail, facts } = failure
  await db.transaction().execute(async (trx) => {
    if (!(await holdNamespace(trx, namespaceId))) return
    const place = sql`namespace_id = ${namespaceId} and digest = ${digest} and fence = ${fence}`
    const told = await sql`select from exchanges where ${place} and failure is not null`.execute(trx)
    if (told.rows.length > 0) return
    await sql`update exchanges set lease_until = now(), uncertain = ${uncertain},
      failure = ${JSON.stringify({ code, detail, facts })}::jsonb where ${place}`.execute(trx)
    await recordEvents(trx, { namespaceId, id: null }, [event])
  })
}

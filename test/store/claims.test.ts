import type { CompiledQuery, LogEvent } from 'kysely'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { NamespaceKeys } from '../../src/domain/keyring.ts'
import { renewalTerms } from '../../src/domain/renewal.ts'
import { claimDue as claimDueOf } from '../../src/store/claims.ts'
import type { Schema } from '../../src/store/schema.ts'
import { ZOHO } from '../support/domain.ts'
import type { Replica, TokenStorage } from '../support/token-storage.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

/** The terms of a provider that has a place for as many as may be claimed. */
const dueTerms = (provider = ZOHO) => ({ ...renewalTerms(provider), places: 1000 })
const TERMS = [dueTerms()]
const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const LIVING = { ...EXPIRED, expiresInSeconds: 3600 }

let storage: TokenStorage
let replica: Replica

beforeAll(async () => {
  storage = await openStorage()
  replica = await storage.replica()
})
afterAll(() => storage.close())
beforeEach(async () => {
  await storage.database.query('delete from tokens')
  await storage.database.query('delete from clients')
  await storage.database.query('delete from events')
  await storage.database.query('delete from spent_renewals')
})

const claimDue = async (limit = 10, terms = TERMS, { store } = replica) =>
  (await store.claimDue(terms, { limit, busy: [], takeOver: true })).map(({ token }) => token.id)

describe('due tokens', () => {
  test('are claimed exactly once each by 8 claimers at once', async () => {
    await storage.fill(1000)
    const claimers = await Promise.all(Array.from({ length: 8 }, () => storage.replica()))
    const claimed = await Promise.all(
      claimers.map(async (claimer) => {
        const ids: string[] = []
        // A batch may come out short where all of it is locked by the others at this moment.
        for (let empty = 0; empty < 3;) {
          const batch = await claimDue(32, TERMS, claimer)
          ids.push(...batch)
          empty = batch.length === 0 ? empty + 1 : 0
        }
        return ids
      }),
    )
    const ids = claimed.flat()
    expect(ids).toHaveLength(1000)
    expect(new Set(ids).size).toBe(1000)
    const fences = await storage.database.query('select fence, count(*)::int from tokens group by fence')
    expect(fences).toEqual([{ fence: 1, count: 1000 }])
  })

  test('are claimed in the order in which they fell due, as many as asked for', async () => {
    await storage.fill(20)
    await storage.fill(5, 'later', false)
    expect(await claimDue(3)).toEqual(expect.arrayContaining(['token-20', 'token-19', 'token-18']))
    expect(await claimDue(100)).toHaveLength(17)
    expect(await claimDue(100)).toEqual([])
  })

  test('are passed over while somebody else has them locked', async () => {
    await storage.fill(3)
    const other = new pg.Client({ connectionString: storage.database.url })
    await other.connect()
    await other.query('begin')
    await other.query(`select from tokens where id = 'token-2' for update`)
    const others = await claimDue().finally(() => other.end())
    expect(others).toEqual(expect.arrayContaining(['token-1', 'token-3']))
    await expect.poll(() => claimDue()).toEqual(['token-2'])
  })

  test('of a provider that is not among the terms stay', async () => {
    await storage.fill(1)
    expect(await claimDue(10, [dueTerms({ ...ZOHO, name: 'acme' })])).toEqual([])
    expect(await claimDue()).toEqual(['token-1'])
  })

  test('that this replica still has an answer for are not claimed anew, though the lease has run out', async () => {
    await storage.fill(2)
    const busy = (await replica.store.claimDue(TERMS, { limit: 1, busy: [], takeOver: true })).map(
      ({ token }) => token,
    )
    const [first] = busy
    await storage.age(first?.id ?? '', 3600)
    const claims = await replica.store.claimDue(TERMS, { limit: 10, busy, takeOver: true })
    expect(claims.map(({ token }) => token.id)).toEqual(['token-1'])
    expect(await claimDue()).toEqual(['token-2'])
  })

  test('wait for the end of a back-off, though a save made them due before', async () => {
    const { id } = await replica.save(LIVING)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    await replica.settle(claim, { kind: 'throttled', error: 'Access Denied', retryAfterSeconds: 300 })
    await replica.save({ id, accessToken: 'access-2', expiresInSeconds: 3600 })
    await storage.database.query(`update tokens set refresh_due_at = now() - interval '1 minute'`)
    expect(await claimDue()).toEqual([])
    await storage.age(id, 301)
    expect(await claimDue()).toEqual([id])
  })

  test('are found by the index alone, among tens of thousands that are not due', async () => {
    await storage.fill(30_000, 'later', false)
    await storage.fill(10)
    const { database } = storage
    await database.query('analyze tokens')
    const pool = new pg.Pool({ connectionString: database.url, max: 1 })
    const statements: CompiledQuery[] = []
    const log = (event: LogEvent) => void statements.push(event.query)
    const plugins = [new CamelCasePlugin()]
    const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }), plugins, log })
    const digest = () => Buffer.alloc(32)
    const keys = { namespaceId: storage.namespaceId, digest } as unknown as NamespaceKeys
    const keysOf = () => Promise.resolve(keys)
    const keyring = { keysOf, keysSince: keysOf }
    const claims = await claimDueOf({ db, keyring, owner: 'replica' }, TERMS, {
      limit: 32,
      busy: [{ namespaceId: storage.namespaceId, id: 'token-1' }],
      takeOver: true,
    })
    expect(claims).toHaveLength(9)
    const [statement] = statements
    const { rows } = await pool.query(`explain (format json) ${statement?.sql ?? ''}`, [
      ...(statement?.parameters ?? []),
    ])
    const plan = JSON.stringify(rows)
    expect(plan).toContain('"Index Name":"tokens_due"')
    expect(plan).not.toContain('"Node Type":"Seq Scan"')
    // What is sorted is what was picked, a few of each provider.
    expect(plan.match(/"Node Type":"Sort"/g)).toHaveLength(1)
    expect(plan).toContain('"Sort Key":["found.due_at"]')
    await db.destroy()
  })
})

describe('a claim', () => {
  test('counts the fence up and holds until its lease runs out', async () => {
    const { id } = await replica.save(EXPIRED)
    const claim = await replica.claim(id)
    expect(claim).toMatchObject({ fence: 1, leaseSeconds: 25 })
    const held = await replica.read(id)
    expect(held.leaseUntil?.getTime()).toBeCloseTo((claim?.claimedAt.getTime() ?? 0) + 25_000, -1)
    expect(await replica.claim(id)).toBeNull()
    expect(await replica.claim(id, true)).toBeNull()
    await storage.age(id, 26)
    expect(await replica.claim(id)).toMatchObject({ fence: 2 })
  })

  test('changes no version, so that nobody sees a token change that has not', async () => {
    const saved = await replica.save(EXPIRED)
    await replica.claim(saved.id)
    expect(await replica.read(saved.id)).toMatchObject({ version: 1, updatedAt: saved.updatedAt })
  })

  test('is had by one of 50 who want it at once', async () => {
    const { id } = await replica.save(EXPIRED)
    const others = await Promise.all([storage.replica(), storage.replica(), storage.replica()])
    const claims = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => (others[n % 3] ?? replica).claim(id, n % 2 === 0)),
    )
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1)
  })

  test('is refused to who read the token before somebody else renewed it, at any moment of that renewal', async () => {
    const { id } = await replica.save(EXPIRED)
    const early = await replica.read(id)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    const meanwhile = await replica.read(id)
    await replica.settle(claim, { ...renewed('access-2'), expiresInSeconds: 1 } as ReturnType<typeof renewed>)
    await storage.age(id, 3600)
    expect(await replica.store.claim(early, renewalTerms(ZOHO), { forced: true, takeOver: true })).toBeNull()
    expect(
      await replica.store.claim(meanwhile, renewalTerms(ZOHO), { forced: true, takeOver: true }),
    ).toBeNull()
    expect(await replica.claim(id)).not.toBeNull()
  })

  test('is refused for a token that cannot be renewed', async () => {
    const { id } = await replica.save({ ...EXPIRED, userName: 'ann' })
    for (const lacking of ['refresh_token', 'client_id']) {
      await storage.database.query(`update tokens set ${lacking} = null`)
      expect(await replica.claim(id, true)).toBeNull()
    }
    const dead = await replica.save({ ...EXPIRED, refreshToken: 'refresh-2' })
    await storage.database.query(`update tokens set status = 'reauth_required' where id = '${dead.id}'`)
    expect(await replica.claim(dead.id, true)).toBeNull()
  })
})

describe('the floor', () => {
  const interval = async (left: number, lifetime: number, ago: number) => {
    const { id } = await replica.save({ ...EXPIRED, expiresInSeconds: left })
    await storage.database.query(
      `update tokens set lifetime_seconds = ${lifetime}, refreshed_at = now() - interval '${ago} seconds'`,
    )
    return id
  }

  test.each([
    ['a living token', 100, 3600, 59, false],
    ['a living token after the interval', 100, 3600, 61, true],
    ['a living token after a fifth of its life', 10, 100, 21, true],
    ['a living token before a fifth of its life', 10, 100, 19, false],
    ['an expired token at once', 0, 3600, 1, true],
  ])('%s: %i s left of %i s, renewed %i s ago: %s', async (_what, left, lifetime, ago, allowed) => {
    const id = await interval(left, lifetime, ago)
    expect((await replica.claim(id, true)) !== null).toBe(allowed)
  })
})

describe("the provider's limit", () => {
  const spend = async (id: string, times: number, forced = false) => {
    for (let count = 0; count < times; count += 1) {
      const claim = await (await storage.replica()).claim(id, forced)
      if (claim === null) throw new Error(`claim ${count + 1} was refused`)
      await replica.settle(claim, renewed(`access-${count}`))
      await storage.database.query('update tokens set expires_at = now()')
    }
  }

  test.each([false, true])(
    'of 10 in 600 s is kept in the database, whoever claims; forced: %s',
    async (forced) => {
      const { id } = await replica.save(EXPIRED)
      await spend(id, 10, forced)
      expect(await replica.claim(id, forced)).toBeNull()
      expect(await claimDue()).toEqual([])
      await storage.age(id, 580)
      expect(await (await storage.replica()).claim(id, forced)).toBeNull()
      await storage.age(id, 21)
      expect(await replica.claim(id, forced)).not.toBeNull()
    },
  )

  test('counts the claims of an owner that died', async () => {
    const { id } = await replica.save(EXPIRED)
    for (let count = 0; count < 10; count += 1) {
      expect(await replica.claim(id, true)).not.toBeNull()
      await storage.database.query('update tokens set lease_until = now()')
    }
    expect(await replica.claim(id, true)).toBeNull()
  })

  test('does not count a request that was not sent', async () => {
    const { id } = await replica.save(EXPIRED)
    await spend(id, 9)
    for (let count = 0; count < 3; count += 1) {
      const claim = await replica.claim(id, true)
      if (claim === null) throw new Error('the token was not claimed')
      await replica.settle(claim, { kind: 'unavailable', error: 'ECONNREFUSED', sent: false })
    }
    expect(await replica.claim(id, true)).not.toBeNull()
  })

  test('begins anew with a new refresh token', async () => {
    const { id } = await replica.save(EXPIRED)
    await spend(id, 10)
    await replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
    expect(await replica.claim(id)).not.toBeNull()
  })

  test('that the provider itself has called spent is waited for, by force too', async () => {
    const { id } = await replica.save(EXPIRED)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    await replica.settle(claim, { kind: 'throttled', error: 'Access Denied', retryAfterSeconds: 30 })
    expect(await replica.claim(id, true)).toBeNull()
    await storage.age(id, 31)
    expect(await replica.claim(id, true)).not.toBeNull()
  })
})

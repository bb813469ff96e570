import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { renewalTerms } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import type { Replica, TokenStorage } from '../support/token-storage.ts'
import { openStorage } from '../support/token-storage.ts'

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
  for (const table of ['tokens', 'clients', 'events']) await storage.database.query(`delete from ${table}`)
})

const claimDue = async (limit = 10, terms = TERMS) =>
  (await replica.store.claimDue(terms, { limit, busy: [], takeOver: true })).map(({ token }) => token.id)

describe('a claim that was cut off', () => {
  const OTHER = { ...ZOHO, rotates: 'always', limit: null } as const

  test('is taken over when its lease has run out: the event says from whom, the token since when', async () => {
    const { id } = await replica.save(EXPIRED)
    const lost = await (await storage.replica('pod-1')).claim(id)
    await storage.age(id, 26)
    const claim = await (await storage.replica('pod-2')).claim(id)
    const events = await storage.database.query<{ type: string; facts: unknown }>(
      `select type, facts from events where token_id = $1 and type like 'renewal.%' order by id`,
      [id],
    )
    const since = new Date((lost?.claimedAt.getTime() ?? 0) - 26_000)
    expect(events).toEqual([
      { type: 'renewal.claimed', facts: { by: 'pod-1', fence: 1 } },
      { type: 'renewal.taken_over', facts: { from: 'pod-1', fence: 1, claimed_at: since.toISOString() } },
      { type: 'renewal.claimed', facts: { by: 'pod-2', fence: 2 } },
    ])
    expect(claim).toMatchObject({ fence: 2, token: { lostAt: since } })
  })

  test('keeps the moment of the first loss through take-over after take-over', async () => {
    const { id } = await replica.save(EXPIRED)
    await replica.claim(id)
    const moments: (Date | null)[] = []
    for (let count = 0; count < 3; count += 1) {
      await storage.database.query('update tokens set lease_until = now()')
      moments.push((await replica.claim(id))?.token.lostAt ?? null)
    }
    expect(moments[0]).not.toBeNull()
    expect(new Set(moments.map((at) => at?.getTime())).size).toBe(1)
  })

  test('is replayed without regard to the floor, though the token lives', async () => {
    const { id } = await replica.save(LIVING)
    await storage.database.query('update tokens set refreshed_at = now()')
    expect(await replica.claim(id)).toBeNull()
    await storage.database.query(`update tokens set lease_until = now() - interval '1 second'`)
    expect(await replica.claim(id)).not.toBeNull()
  })

  test('is left to its owner while nobody may take over', async () => {
    const { id } = await replica.save(EXPIRED)
    await storage.fill(1, 'free')
    const token = await replica.read(id)
    await replica.claim(id)
    await storage.age(id, 26)
    const options = { limit: 10, busy: [], takeOver: false }
    const claims = await replica.store.claimDue(TERMS, options)
    expect(claims.map((claim) => claim.token.id)).toEqual(['free-1'])
    const terms = renewalTerms(ZOHO)
    expect(await replica.store.claim(token, terms, { forced: true, takeOver: false })).toBeNull()
    expect(await claimDue()).toEqual([id])
  })

  test('of a token that was not due is found by the refresher as soon as the lease has run out', async () => {
    const { id } = await replica.save(LIVING)
    const claim = await replica.claim(id, true, OTHER)
    expect((await replica.read(id)).refreshDueAt).toEqual((await replica.read(id)).leaseUntil)
    expect(await claimDue()).toEqual([])
    await storage.age(id, (claim?.leaseSeconds ?? 0) + 1)
    expect(await claimDue(10, [dueTerms(OTHER)])).toEqual([id])
  })

  test('is not taken over while its owner extends the lease', async () => {
    const { id } = await replica.save(EXPIRED)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    await storage.age(id, 24)
    await replica.store.extend(claim)
    await storage.age(id, 24)
    expect(await replica.claim(id)).toBeNull()
    await storage.age(id, 2)
    const next = await replica.claim(id)
    const until = (await replica.read(id)).leaseUntil
    await replica.store.extend(claim)
    expect((await replica.read(id)).leaseUntil).toEqual(until)
    expect(next).toMatchObject({ fence: 2 })
  })
})

describe('the places of a provider', () => {
  test('are all that is claimed of it, so that others are claimed though they fell due later', async () => {
    await storage.fill(20)
    await storage.database.query(
      `update tokens set provider = 'acme', refresh_due_at = refresh_due_at - interval '1 hour'`,
    )
    await storage.fill(20, 'zoho')
    const acme = { ...dueTerms({ ...ZOHO, name: 'acme' }), places: 3 }
    const ids = await claimDue(8, [acme, dueTerms()])
    expect(ids.filter((id) => id.startsWith('token'))).toHaveLength(3)
    expect(ids.filter((id) => id.startsWith('zoho'))).toHaveLength(5)
  })

  test('may be none', async () => {
    await storage.fill(1)
    expect(await claimDue(8, [{ ...dueTerms(), places: 0 }])).toEqual([])
  })
})

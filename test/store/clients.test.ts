import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ZOHO } from '../support/domain.ts'
import type { Replica, TokenStorage } from '../support/token-storage.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}

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

describe('a client', () => {
  const pause = { reason: 'client_refused' as const, error: 'invalid_client' }

  test('that is refused is paused for all its tokens with this secret, on every replica, and for no others', async () => {
    const clients = [
      { userName: 'ann', clientSecret: 'one' },
      { userName: 'bob', clientSecret: 'one' },
      { userName: 'cid', clientSecret: 'two' },
      { userName: 'dan', clientSecret: 'one', clientId: 'other' },
      { userName: 'eve', clientSecret: 'one', provider: 'acme' },
    ]
    const ids: string[] = []
    for (const [n, words] of clients.entries()) {
      ids.push(
        (await replica.save({ ...EXPIRED, refreshToken: `refresh-${n}`, accessToken: `a-${n}`, ...words }))
          .id,
      )
    }
    const [ann = '', ...others] = ids
    const claim = await replica.claim(ann)
    if (claim === null) throw new Error('the token was not claimed')
    await replica.settle(claim, { kind: pause.reason, error: pause.error })
    const elsewhere = await storage.replica()
    const paused = await Promise.all(
      others.map(async (id, n) => {
        const provider = n === 3 ? { ...ZOHO, name: 'acme' } : ZOHO
        return (await elsewhere.claim(id, false, provider))?.pause?.reason ?? null
      }),
    )
    expect(paused).toEqual(['client_refused', null, null, null])
    expect(await storage.events(ann)).toEqual([
      'token.created',
      'renewal.claimed',
      'renewal.failed',
      'client.paused',
    ])
  })

  test('is used again after a success', async () => {
    const { id } = await replica.save(EXPIRED)
    const refused = await replica.claim(id)
    if (refused === null) throw new Error('the token was not claimed')
    await replica.settle(refused, { kind: pause.reason, error: pause.error })
    const forced = await replica.claim(id, true)
    if (forced === null) throw new Error('the token was not claimed')
    expect(forced).toMatchObject({ forced: true, pause: { reason: 'client_refused' } })
    await replica.settle(forced, renewed('access-2'))
    await storage.age(id, 3600)
    expect((await replica.claim(id))?.pause).toBeNull()
  })

  test('has its deaths counted over all replicas, and its tokens no further than needed', async () => {
    const { id } = await replica.save({ ...EXPIRED, clientSecret: 'deadly' })
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    const elsewhere = await storage.replica()
    await storage.fill(300)
    const deaths: object[] = []
    for (let count = 0; count < 3; count += 1) {
      deaths.push(await (count % 2 === 0 ? replica : elsewhere).store.countDeath(claim))
    }
    expect(deaths).toEqual([20, 40, 60].map((tokens, n) => ({ died: n + 1, tokens })))
    await storage.database.query(
      `update clients set deaths = array(select at - interval '11 minutes' from unnest(deaths) as at)`,
    )
    expect(await replica.store.countDeath(claim)).toEqual({ died: 1, tokens: 20 })
  })
})

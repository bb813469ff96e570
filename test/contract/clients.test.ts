import { describe, expect, test } from 'vitest'
import { ZOHO } from '../support/domain.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import { renewed } from '../support/token-storage.ts'

const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}

describe.each(STORAGES)('clients in %s', (_name, open) => {
  const the = useStorage(open)

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
          (
            await the.replica.save({
              ...EXPIRED,
              refreshToken: `refresh-${n}`,
              accessToken: `a-${n}`,
              ...words,
            })
          ).id,
        )
      }
      const [ann = '', ...others] = ids
      const claim = await the.replica.claim(ann)
      if (claim === null) throw new Error('the token was not claimed')
      await the.replica.settle(claim, { kind: pause.reason, error: pause.error })
      const elsewhere = await the.storage.replica()
      const paused = await Promise.all(
        others.map(async (id, n) => {
          const provider = n === 3 ? { ...ZOHO, name: 'acme' } : ZOHO
          return (await elsewhere.claim(id, false, provider))?.pause?.reason ?? null
        }),
      )
      expect(paused).toEqual(['client_refused', null, null, null])
      expect(await the.storage.events(ann)).toEqual([
        'token.created',
        'renewal.claimed',
        'renewal.failed',
        'client.paused',
      ])
    })

    test('is used again after a success', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const refused = await the.replica.claim(id)
      if (refused === null) throw new Error('the token was not claimed')
      await the.replica.settle(refused, { kind: pause.reason, error: pause.error })
      const forced = await the.replica.claim(id, true)
      if (forced === null) throw new Error('the token was not claimed')
      expect(forced).toMatchObject({ forced: true, pause: { reason: 'client_refused' } })
      await the.replica.settle(forced, renewed('access-2'))
      await the.storage.age(id, 3600)
      expect((await the.replica.claim(id))?.pause).toBeNull()
    })

    test('is not held to account for a refresh token that has been replaced since', async () => {
      const { id } = await the.replica.save({ ...EXPIRED, clientSecret: 'replaced' })
      const claim = await the.replica.claim(id)
      if (claim === null) throw new Error('the token was not claimed')
      await the.replica.save({ id, refreshToken: 'refresh-2' })
      expect(await the.replica.store.countDeath(claim)).toMatchObject({ died: 0 })
    })

    test('has its deaths counted over all replicas, and its tokens no further than needed', async () => {
      const { id } = await the.replica.save({ ...EXPIRED, clientSecret: 'deadly' })
      const claim = await the.replica.claim(id)
      if (claim === null) throw new Error('the token was not claimed')
      const elsewhere = await the.storage.replica()
      for (let n = 1; n < 50; n += 1)
        await the.replica.save({ ...EXPIRED, refreshToken: `r-${n}`, accessToken: `a-${n}` })
      const deaths: object[] = []
      for (let count = 0; count < 3; count += 1) {
        deaths.push(await (count % 2 === 0 ? the.replica : elsewhere).store.countDeath(claim))
      }
      expect(deaths).toEqual([20, 40, 50].map((tokens, n) => ({ died: n + 1, tokens })))
    })
  })
})

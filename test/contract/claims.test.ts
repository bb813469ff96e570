import { describe, expect, test } from 'vitest'
import type { Provider } from '../../src/domain/provider.ts'
import { renewalTerms } from '../../src/domain/renewal.ts'
import type { TokenRef } from '../../src/domain/token.ts'
import { ZOHO } from '../support/domain.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import { renewed } from '../support/token-storage.ts'

const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const FLOORLESS = { ...ZOHO, minIntervalSeconds: 0 }

describe.each(STORAGES)('claims in %s', (_name, open) => {
  const the = useStorage(open)

  const claimOf = async (id: string, forced = false, provider: Provider = ZOHO) => {
    const claim = await the.replica.claim(id, forced, provider)
    if (claim === null) throw new Error('the token was not claimed')
    return claim
  }

  describe('due tokens', () => {
    const claimDue = async (limit = 10, busy: TokenRef[] = [], places = 1000) => {
      const terms = [{ ...renewalTerms(ZOHO), places }]
      const claims = await the.replica.store.claimDue(terms, { limit, busy, takeOver: true })
      return claims.map(({ token }) => token.id).toSorted()
    }
    const save = (name: string, expiresInSeconds: number) =>
      the.replica.save({ ...EXPIRED, id: name, refreshToken: name, accessToken: name, expiresInSeconds })

    test('are claimed in the order in which they fell due, as many as asked for, and as there are places', async () => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        await save(name, 0)
        await the.storage.age(name, 100 - name.charCodeAt(0) / 2)
      }
      await save('later', 3600)
      expect(await claimDue(2)).toEqual(['a', 'b'])
      expect(await claimDue(10, [], 1)).toEqual(['c'])
      expect(await claimDue()).toEqual(['d', 'e'])
      expect(await claimDue()).toEqual([])
    })

    test('of a provider that is not among the terms stay', async () => {
      await the.replica.save({ ...EXPIRED, provider: 'acme' })
      expect(await claimDue()).toEqual([])
    })

    test('that this replica still has an answer for are not claimed anew', async () => {
      const token = await save('busy', 0)
      await claimDue()
      await the.storage.age('busy', 3600)
      expect(await claimDue(10, [token])).toEqual([])
      expect(await claimDue()).toEqual(['busy'])
    })

    test('wait for the end of a back-off, though a save made them due before', async () => {
      await save('busy', 60)
      await the.replica.settle(await claimOf('busy'), {
        kind: 'throttled',
        error: 'Access Denied',
        retryAfterSeconds: 300,
      })
      await the.replica.save({ id: 'busy', accessToken: 'access-2', expiresInSeconds: 120 })
      await the.storage.age('busy', 200)
      expect(await claimDue()).toEqual([])
      await the.storage.age('busy', 101)
      expect(await claimDue()).toEqual(['busy'])
    })
  })

  describe('a claim', () => {
    test('counts the fence up and holds until its lease runs out', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const claim = await the.replica.claim(id)
      expect(claim).toMatchObject({ fence: 1, leaseSeconds: 25 })
      const held = await the.replica.read(id)
      expect(held.leaseUntil?.getTime()).toBeCloseTo((claim?.claimedAt.getTime() ?? 0) + 25_000, -1)
      expect(await the.replica.claim(id)).toBeNull()
      expect(await the.replica.claim(id, true)).toBeNull()
      await the.storage.age(id, 26)
      expect(await the.replica.claim(id)).toMatchObject({ fence: 2 })
    })

    test('changes no version, so that nobody sees a token change that has not', async () => {
      const saved = await the.replica.save(EXPIRED)
      await the.replica.claim(saved.id)
      expect(await the.replica.read(saved.id)).toMatchObject({ version: 1, updatedAt: saved.updatedAt })
    })

    test('is had by one of 50 who want it at once', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const others = await Promise.all([the.storage.replica(), the.storage.replica(), the.storage.replica()])
      const claims = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => (others[n % 3] ?? the.replica).claim(id, n % 2 === 0)),
      )
      expect(claims.filter((claim) => claim !== null)).toHaveLength(1)
    })

    test('is refused to who read the token before somebody else renewed it, at any moment of that renewal', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const early = await the.replica.read(id)
      const claim = await the.replica.claim(id)
      if (claim === null) throw new Error('the token was not claimed')
      const meanwhile = await the.replica.read(id)
      await the.replica.settle(claim, { ...renewed('access-2'), expiresInSeconds: 1 })
      await the.storage.age(id, 3600)
      expect(
        await the.replica.store.claim(early, renewalTerms(ZOHO), { forced: true, takeOver: true }),
      ).toBeNull()
      expect(
        await the.replica.store.claim(meanwhile, renewalTerms(ZOHO), { forced: true, takeOver: true }),
      ).toBeNull()
      expect(await the.replica.claim(id)).not.toBeNull()
    })

    test('is refused for a token that cannot be renewed', async () => {
      const { clientId, refreshToken, ...bare } = EXPIRED
      const lacking = [
        { ...bare, clientId },
        { ...bare, accessToken: 'access-2', refreshToken },
      ]
      for (const words of lacking)
        expect(await the.replica.claim((await the.replica.save(words)).id, true)).toBeNull()
      const { id } = await the.replica.save({
        ...EXPIRED,
        accessToken: 'access-3',
        refreshToken: 'refresh-3',
      })
      await the.replica.settle(await claimOf(id), { kind: 'dead', error: 'invalid_code' })
      expect(await the.replica.claim(id, true)).toBeNull()
    })
  })

  describe('the floor', () => {
    test.each([
      ['a living token', 3600, 59, false],
      ['a living token after the interval', 3600, 61, true],
      ['a living token after a fifth of its life', 100, 21, true],
      ['a living token before a fifth of its life', 100, 19, false],
      ['an expired token at once', 1, 2, true],
    ])('%s: of %i s, renewed %i s ago: %s', async (_what, expiresInSeconds, ago, allowed) => {
      const { id } = await the.replica.save(EXPIRED)
      await the.replica.settle(await claimOf(id), { ...renewed('access-2'), expiresInSeconds })
      await the.storage.age(id, ago)
      expect((await the.replica.claim(id, true)) !== null).toBe(allowed)
    })
  })

  describe("the provider's limit", () => {
    const spend = async (id: string, times: number, forced = false) => {
      for (let count = 0; count < times; count += 1) {
        const claim = await (await the.storage.replica()).claim(id, forced, FLOORLESS)
        if (claim === null) throw new Error(`claim ${count + 1} was refused`)
        await the.replica.settle(claim, renewed(`access-${count}`))
      }
    }

    test.each([false, true])(
      'of 10 in 600 s is kept in the database, whoever claims; forced: %s',
      async (forced) => {
        const { id } = await the.replica.save(EXPIRED)
        await spend(id, 10, forced)
        expect(await the.replica.claim(id, forced, FLOORLESS)).toBeNull()
        await the.storage.age(id, 580)
        expect(await (await the.storage.replica()).claim(id, forced, FLOORLESS)).toBeNull()
        await the.storage.age(id, 21)
        expect(await the.replica.claim(id, forced)).not.toBeNull()
      },
    )

    test('counts the claims of an owner that died', async () => {
      const { id } = await the.replica.save(EXPIRED)
      for (let count = 0; count < 10; count += 1) {
        expect(await the.replica.claim(id, true)).not.toBeNull()
        await the.storage.age(id, 26)
      }
      expect(await the.replica.claim(id, true)).toBeNull()
    })

    test('does not count a request that was not sent', async () => {
      const { id } = await the.replica.save(EXPIRED)
      await spend(id, 9)
      for (let count = 0; count < 3; count += 1) {
        await the.replica.settle(await claimOf(id, true, FLOORLESS), {
          kind: 'unavailable',
          error: 'ECONNREFUSED',
          sent: false,
        })
      }
      expect(await the.replica.claim(id, true, FLOORLESS)).not.toBeNull()
    })

    test('begins anew with a new refresh token', async () => {
      const { id } = await the.replica.save(EXPIRED)
      await spend(id, 10)
      await the.replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
      expect(await the.replica.claim(id)).not.toBeNull()
    })

    test('that the provider itself has called spent is waited for, by force too', async () => {
      const { id } = await the.replica.save(EXPIRED)
      await the.replica.settle(await claimOf(id), {
        kind: 'throttled',
        error: 'Access Denied',
        retryAfterSeconds: 30,
      })
      expect(await the.replica.claim(id, true)).toBeNull()
      await the.storage.age(id, 31)
      expect(await the.replica.claim(id, true)).not.toBeNull()
    })
  })
})

import { describe, expect, test } from 'vitest'
import { renewalTerms } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import { renewed } from '../support/token-storage.ts'

const dueTerms = (provider = ZOHO) => ({ ...renewalTerms(provider), places: 1000 })
const TERMS = [dueTerms()]
const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const LIVING = { ...EXPIRED, expiresInSeconds: 3600 }

describe.each(STORAGES)('take-over in %s', (_name, open) => {
  const the = useStorage(open)

  const claimDue = async (limit = 10, terms = TERMS) =>
    (await the.replica.store.claimDue(terms, { limit, busy: [], takeOver: true })).map(
      ({ token }) => token.id,
    )

  describe('a claim that was cut off', () => {
    const OTHER = { ...ZOHO, rotates: 'always', limit: null } as const

    test('is taken over when its lease has run out: the event says from whom, the token since when', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const lost = await (await the.storage.replica('pod-1')).claim(id)
      await the.storage.age(id, 26)
      const claim = await (await the.storage.replica('pod-2')).claim(id)
      const since = new Date((lost?.claimedAt.getTime() ?? 0) - 26_000)
      expect(await the.storage.factsOf(id, 'renewal.taken_over')).toEqual({
        from: 'pod-1',
        fence: 1,
        claimed_at: since.toISOString(),
      })
      expect(claim).toMatchObject({ fence: 2, token: { lostAt: since } })
    })

    test('is taken over though the back-off that it was forced through lasts on', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const refused = await the.replica.claim(id)
      if (refused === null) throw new Error('the token was not claimed')
      await the.replica.settle(refused, { kind: 'misconfigured', error: 'invalid_scope' })
      expect(await the.replica.claim(id)).toBeNull()
      expect(await the.replica.claim(id, true)).not.toBeNull()
      await the.storage.age(id, 26)
      expect(await claimDue()).toEqual([id])
      await the.storage.age(id, 26)
      expect(await the.replica.claim(id)).not.toBeNull()
    })

    test('keeps the moment of the first loss through take-over after take-over while its grace lasts, then that of the last', async () => {
      const GRACIOUS = { ...OTHER, reuseGraceSeconds: 60 }
      const { id } = await the.replica.save(EXPIRED)
      await the.replica.claim(id, false, GRACIOUS)
      const secondsSince: number[] = []
      for (let count = 1; count <= 5; count += 1) {
        await the.storage.age(id, 13)
        const claim = await the.replica.claim(id, false, GRACIOUS)
        secondsSince.push(
          Math.round(((claim?.claimedAt.getTime() ?? 0) - (claim?.token.lostAt?.getTime() ?? 0)) / 1000),
        )
      }
      expect(secondsSince).toEqual([13, 26, 39, 52, 13])
    })

    test('is replayed without regard to the floor, though the token lives', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const claim = await the.replica.claim(id)
      if (claim === null) throw new Error('the token was not claimed')
      await the.replica.settle(claim, renewed('access-2'))
      expect(await the.replica.claim(id)).toBeNull()
      expect(await the.replica.claim(id, false, { ...ZOHO, minIntervalSeconds: 0 })).not.toBeNull()
      await the.storage.age(id, 26)
      expect(await the.replica.claim(id)).not.toBeNull()
    })

    test('counts for the refresh token that was presented: of the next one the grace is its own, and so is the floor', async () => {
      const GRACIOUS = { ...OTHER, reuseGraceSeconds: 120, minIntervalSeconds: 600 }
      const claim = async () => the.replica.claim(id, true, GRACIOUS)
      const { id } = await the.replica.save(EXPIRED)
      await claim()
      await the.storage.age(id, 24)
      const replay = await claim()
      if (replay === null) throw new Error('the token was not taken over')
      await the.replica.settle(replay, renewed('access-2', 'refresh-2'), GRACIOUS)
      expect(await the.replica.read(id)).toMatchObject({
        lostAt: replay.token.lostAt,
        refreshDueAt: new Date(replay.claimedAt.getTime() + 84_000),
      })
      await the.storage.age(id, 80)
      expect(await claim()).toBeNull()
      await the.storage.age(id, 5)
      const next = await claim()
      expect(next).not.toBeNull()
      await the.storage.age(id, 26)
      const since = new Date((next?.claimedAt.getTime() ?? 0) - 26_000)
      expect(await claim()).toMatchObject({ token: { lostAt: since } })
    })

    test('is left to its owner while nobody may take over', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const free = await the.replica.save({ ...EXPIRED, refreshToken: 'refresh-2', accessToken: 'access-2' })
      const token = await the.replica.read(id)
      await the.replica.claim(id)
      await the.storage.age(id, 26)
      const options = { limit: 10, busy: [], takeOver: false }
      const claims = await the.replica.store.claimDue(TERMS, options)
      expect(claims.map((claim) => claim.token.id)).toEqual([free.id])
      const terms = renewalTerms(ZOHO)
      expect(await the.replica.store.claim(token, terms, { forced: true, takeOver: false })).toBeNull()
      expect(await claimDue()).toEqual([id])
    })

    test('is not left to its owner while the provider takes its refresh token again', async () => {
      const GRACIOUS = { ...OTHER, reuseGraceSeconds: 10 }
      const { leaseSeconds, replaySeconds } = renewalTerms(GRACIOUS)
      const { id } = await the.replica.save(EXPIRED)
      const options = { limit: 10, busy: [], takeOver: false }
      const claim = async () => (await the.replica.store.claimDue([dueTerms(GRACIOUS)], options)).length
      expect(await claim()).toBe(1)
      await the.storage.age(id, leaseSeconds + 0.5)
      expect(await claim()).toBe(1)
      await the.storage.age(id, leaseSeconds / 2 + 0.1)
      expect(await claim()).toBe(1)
      await the.storage.age(id, replaySeconds + 0.5)
      expect(await claim()).toBe(0)
    })

    test('is left to the first of its owners where a second one was cut off, too, and the grace of the first is over', async () => {
      const GRACIOUS = { ...OTHER, reuseGraceSeconds: 10 }
      const { leaseSeconds, replaySeconds } = renewalTerms(GRACIOUS)
      const { id } = await the.replica.save(EXPIRED)
      const claim = async (takeOver: boolean) =>
        (await the.replica.store.claimDue([dueTerms(GRACIOUS)], { limit: 10, busy: [], takeOver })).length
      expect(await claim(false)).toBe(1)
      await the.storage.age(id, replaySeconds + 0.5)
      // It was asked for before the storage went away, and heard when it was back.
      expect(await claim(true)).toBe(1)
      await the.storage.age(id, leaseSeconds / 2 + 0.1)
      expect(await claim(false)).toBe(0)
      expect(await claim(true)).toBe(1)
    })

    test('of a token that was not due is found by the refresher as soon as the lease has run out', async () => {
      const { id } = await the.replica.save(LIVING)
      const claim = await the.replica.claim(id, true, OTHER)
      expect((await the.replica.read(id)).refreshDueAt).toEqual((await the.replica.read(id)).leaseUntil)
      expect(await claimDue()).toEqual([])
      await the.storage.age(id, (claim?.leaseSeconds ?? 0) + 1)
      expect(await claimDue(10, [dueTerms(OTHER)])).toEqual([id])
    })

    test('is not taken over while its owner extends the lease', async () => {
      const { id } = await the.replica.save(EXPIRED)
      const claim = await the.replica.claim(id)
      if (claim === null) throw new Error('the token was not claimed')
      await the.storage.age(id, 24)
      await the.replica.store.extend(claim)
      await the.storage.age(id, 24)
      expect(await the.replica.claim(id)).toBeNull()
      await the.storage.age(id, 2)
      const next = await the.replica.claim(id)
      const until = (await the.replica.read(id)).leaseUntil
      await the.replica.store.extend(claim)
      expect((await the.replica.read(id)).leaseUntil).toEqual(until)
      expect(next).toMatchObject({ fence: 2 })
    })
  })
})

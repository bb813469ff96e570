import { beforeEach, describe, expect, test } from 'vitest'
import type { RefreshOutcome } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import { renewed } from '../support/token-storage.ts'

const TOKEN = {
  id: 'token-1',
  userName: 'ann',
  clientId: 'client',
  clientSecret: 'secret',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const ID = TOKEN.id
const DEAD: RefreshOutcome = { kind: 'dead', error: 'invalid_code' }
const DOWN: RefreshOutcome = { kind: 'unavailable', error: 'http_500', sent: true }

describe.each(STORAGES)('what a claim leaves behind in %s', (_name, open) => {
  const the = useStorage(open)
  beforeEach(async () => {
    await the.replica.save(TOKEN)
  })

  async function claimed(who = the.replica): Promise<Claim> {
    const claim = await who.claim(ID)
    if (claim === null) throw new Error('the token was not claimed')
    return claim
  }

  const accessOf = async () => (await the.replica.read(ID)).accessToken?.reveal()
  const refreshOf = async () => (await the.replica.read(ID)).refreshToken?.reveal()
  const lastEvent = async () => (await the.storage.events(ID)).at(-1)

  describe('what came of a renewal', () => {
    test('is the token from then on, and its lease has ended', async () => {
      const claim = await claimed()
      const settled = await the.replica.settle(claim, renewed('access-2'))
      expect(settled?.accessToken?.reveal()).toBe('access-2')
      const token = await the.replica.read(ID)
      expect(token).toMatchObject({ status: 'active', version: 2, leaseUntil: null, fence: 1 })
      expect(token.expiresAt).toEqual(new Date(claim.claimedAt.getTime() + 3_600_000))
      expect(await accessOf()).toBe('access-2')
      expect(await the.storage.events(ID)).toEqual(['token.created', 'renewal.claimed', 'renewal.succeeded'])
    })

    test('takes no good token away where it failed', async () => {
      const settled = await the.replica.settle(await claimed(), DOWN)
      expect(settled).toMatchObject({ status: 'failing', leaseUntil: null, lastError: { attempts: 1 } })
      expect(await accessOf()).toBe('access-1')
      expect(await lastEvent()).toBe('renewal.failed')
    })

    test('leaves alone what a save has written in the meantime', async () => {
      const claim = await claimed()
      await the.replica.save({
        ...TOKEN,
        scope: 'crm',
        redirectUrl: 'https://app.example/',
        clientSecret: 'secret-2',
      })
      await the.replica.settle(claim, renewed('access-2'))
      const token = await the.replica.read(ID)
      expect(token).toMatchObject({ scope: 'crm', redirectUrl: 'https://app.example/', version: 3 })
      expect(token.clientSecret?.reveal()).toBe('secret-2')
      expect(token.accessToken?.reveal()).toBe('access-2')
    })

    test('has the expiry of its own access token, though a save brought another one in the meantime', async () => {
      const lasting = { clientId: 'client', userName: 'bob', refreshToken: 'r', accessToken: 'a' }
      const { id } = await the.replica.save(lasting)
      const claim = await the.replica.claim(id, true)
      if (claim === null) throw new Error('the token was not claimed')
      await the.replica.save({ id, accessToken: 'access-3', expiresInSeconds: 60 })
      await the.replica.settle(claim, { ...renewed('access-2'), expiresInSeconds: null })
      const token = await the.replica.read(id)
      expect(token.accessToken?.reveal()).toBe('access-2')
      expect(token).toMatchObject({ expiresAt: null, lifetimeSeconds: ZOHO.defaultLifetimeSeconds })
    })

    test('is stored though the lease has run out, as long as nobody has taken over', async () => {
      const claim = await claimed()
      await the.storage.age(ID, 3600)
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).not.toBeNull()
      expect(await refreshOf()).toBe('refresh-2')
    })

    test('keeps the tokens apart: nothing of one is in the other', async () => {
      await the.replica.save({
        ...TOKEN,
        id: 'token-2',
        userName: 'bob',
        refreshToken: 'refresh-b',
        accessToken: 'access-b',
      })
      await the.replica.settle(await claimed(), renewed('access-2', 'refresh-2'))
      const other = await the.replica.read('token-2')
      expect(other.refreshToken?.reveal()).toBe('refresh-b')
      expect(other).toMatchObject({ version: 1, fence: 0 })
    })
  })

  describe('an answer that comes too late is recorded and dropped', () => {
    test('after a save with a new refresh token', async () => {
      const claim = await claimed()
      await the.replica.save({ ...TOKEN, refreshToken: 'refresh-new', accessToken: 'access-new' })
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toBeNull()
      expect([await accessOf(), await refreshOf()]).toEqual(['access-new', 'refresh-new'])
      expect(await lastEvent()).toBe('renewal.dropped')
    })

    test('after a delete', async () => {
      const claim = await claimed()
      const event = { type: 'token.deleted', actor: 'test' } as const
      await the.replica.store.delete({ namespaceId: the.storage.namespaceId, id: ID }, event, 'any')
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toBeNull()
      expect(await the.replica.store.get({ namespaceId: the.storage.namespaceId, id: ID })).toBeNull()
      expect(await the.storage.events(ID)).toEqual([
        'token.created',
        'renewal.claimed',
        'token.deleted',
        'renewal.dropped',
      ])
    })

    test('after a delete and a save with the same id, though that token has been claimed as often', async () => {
      const claim = await claimed()
      const event = { type: 'token.deleted', actor: 'test' } as const
      await the.replica.store.delete({ namespaceId: the.storage.namespaceId, id: ID }, event, 'any')
      await the.replica.save({ ...TOKEN, refreshToken: 'refresh-new', accessToken: 'access-new' })
      const anew = await claimed()
      expect(anew.fence).toBe(claim.fence)
      await the.replica.store.extend({ ...claim, leaseSeconds: 3600 })
      expect((await the.replica.read(ID)).leaseUntil).toEqual(anew.token.leaseUntil)
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toBeNull()
      expect([await accessOf(), await refreshOf()]).toEqual(['access-new', 'refresh-new'])
      expect((await the.replica.read(ID)).leaseUntil).toEqual(anew.token.leaseUntil)
      expect(await lastEvent()).toBe('renewal.dropped')
    })

    test('after a take-over, whose lease goes on', async () => {
      const late = await claimed()
      await the.storage.age(ID, 26)
      const taken = await claimed(await the.storage.replica())
      expect(await the.replica.settle(late, renewed('access-late'))).toBeNull()
      expect(await lastEvent()).toBe('renewal.dropped')
      expect((await the.replica.read(ID)).leaseUntil).toEqual(taken.token.leaseUntil)
      await the.replica.settle(taken, renewed('access-2'))
      expect([await accessOf(), await refreshOf()]).toEqual(['access-2', 'refresh-1'])
    })

    test.each([DEAD, DOWN])('after a peer has renewed, a refusal above all: %o', async (outcome) => {
      const late = await claimed()
      await the.storage.age(ID, 26)
      await the.replica.settle(await claimed(), renewed('access-2', 'refresh-2'))
      expect(await the.replica.settle(late, outcome)).toBeNull()
      expect(await the.replica.read(ID)).toMatchObject({ status: 'active', lastError: null })
    })
  })

  describe('the successor of the refresh token that is still stored is kept, however late', () => {
    test('after a take-over, whose lease goes on, and whose own successor is the later one', async () => {
      const late = await claimed()
      await the.storage.age(ID, 26)
      const taken = await claimed()
      expect(await the.replica.settle(late, renewed('access-late', 'refresh-late'))).not.toBeNull()
      const kept = await the.replica.read(ID)
      const { lostAt, leaseUntil } = taken.token
      expect(lostAt).not.toBeNull()
      expect(kept).toMatchObject({ status: 'active', lostAt, leaseUntil })
      expect([await accessOf(), await refreshOf()]).toEqual(['access-late', 'refresh-late'])
      await the.replica.settle(taken, renewed('access-2', 'refresh-2'))
      expect([await accessOf(), await refreshOf()]).toEqual(['access-2', 'refresh-2'])
      expect((await the.replica.read(ID)).lostAt).toBeNull()
    })

    test.each([DEAD, DOWN])('before or after its peer hears %o', async (outcome) => {
      for (const isFirst of [true, false]) {
        await the.storage.clear()
        await the.replica.save(TOKEN)
        const late = await claimed()
        await the.storage.age(ID, 26)
        const taken = await claimed()
        if (!isFirst) await the.replica.settle(taken, outcome)
        await the.replica.settle(late, renewed('access-late', 'refresh-late'))
        if (isFirst) expect(await the.replica.settle(taken, outcome)).toBeNull()
        expect([await accessOf(), await refreshOf()]).toEqual(['access-late', 'refresh-late'])
        const after = await the.replica.read(ID)
        expect(after).toMatchObject({ status: 'active', lastError: null, leaseUntil: null })
        expect(after.lostAt).toEqual(taken.token.lostAt)
        expect(after.refreshDueAt).not.toBeNull()
      }
    })

    test('beside the access token that the row has already', async () => {
      const late = await claimed()
      await the.storage.age(ID, 26)
      await claimed()
      await the.replica.settle(late, renewed('access-1', 'refresh-2'))
      expect([await accessOf(), await refreshOf()]).toEqual(['access-1', 'refresh-2'])
    })

    test('but not after a peer has stored its own', async () => {
      const late = await claimed()
      await the.storage.age(ID, 26)
      await the.replica.settle(await claimed(), renewed('access-2', 'refresh-2'))
      expect(await the.replica.settle(late, renewed('access-late', 'refresh-late'))).toBeNull()
      expect([await accessOf(), await refreshOf()]).toEqual(['access-2', 'refresh-2'])
      expect(await lastEvent()).toBe('renewal.dropped')
    })
  })

  describe('a failure says nothing about a token that has been saved since', () => {
    test.each([DEAD, DOWN])('%o', async (outcome) => {
      const claim = await claimed()
      await the.replica.save({ ...TOKEN, clientSecret: 'secret-2' })
      expect(await the.replica.settle(claim, outcome)).toBeNull()
      const token = await the.replica.read(ID)
      expect(token).toMatchObject({ status: 'active', lastError: null, leaseUntil: null })
      expect(await lastEvent()).toBe('renewal.dropped')
      expect(await the.replica.claim(ID)).not.toBeNull()
    })
  })

  describe('a commit whose answer was lost', () => {
    test.each([
      ['a success', renewed('access-2', 'refresh-2'), 'renewal.succeeded'],
      ['a failure', DOWN, 'renewal.failed'],
    ])('is known again when it is tried once more: %s', async (_what, outcome, event) => {
      const claim = await claimed()
      const first = await the.replica.settle(claim, outcome)
      const second = await the.replica.settle(claim, outcome)
      expect(second).toMatchObject({ version: first?.version, status: first?.status })
      expect(await the.storage.events(ID)).toEqual(['token.created', 'renewal.claimed', event])
    })

    test('is known again though a save has come in between', async () => {
      const claim = await claimed()
      await the.replica.settle(claim, renewed('access-2'))
      await the.replica.save({ ...TOKEN, accessToken: 'access-3', expiresInSeconds: 7200 })
      expect(await the.replica.settle(claim, renewed('access-2'))).not.toBeNull()
      expect(await accessOf()).toBe('access-3')
      expect(await the.storage.events(ID)).toEqual([
        'token.created',
        'renewal.claimed',
        'renewal.succeeded',
        'token.updated',
      ])
    })
  })

  describe('what a renewal has replaced', () => {
    const renew = async (accessToken: string, refreshToken: string | null = null) => {
      await the.replica.settle(await claimed(), renewed(accessToken, refreshToken))
      await the.storage.age(ID, 3600)
    }

    test('still finds its token by any refresh token that it ever had', async () => {
      await renew('access-2', 'refresh-2')
      await renew('access-3', 'refresh-3')
      for (const refreshToken of ['refresh-1', 'refresh-2', 'refresh-3']) {
        const { id } = await the.replica.save({ refreshToken, scope: `met by ${refreshToken}` })
        expect(id).toBe(ID)
      }
    })

    test('is known for the last 16 access tokens: a save that brings one of them is late', async () => {
      for (let number = 2; number <= 18; number += 1) {
        await renew(`access-${number}`)
        await the.storage.age(ID, 600)
      }
      await the.replica.settle(await claimed(), renewed('access-19'))
      const save = (accessToken: string) =>
        the.replica.save({ ...TOKEN, accessToken, expiresInSeconds: 9999 })
      for (const number of [18, 10, 3]) {
        await save(`access-${number}`)
        expect(await accessOf()).toBe('access-19')
        expect(await lastEvent()).toBe('save.stale')
      }
      await save('access-2')
      expect(await accessOf()).toBe('access-2')
    })
  })
})

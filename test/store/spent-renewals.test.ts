import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Claim } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import type { Replica, PostgresStorage } from '../support/token-storage.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

const EXPIRED = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const ROTATING = { ...ZOHO, rotates: 'always' } as const
const UNREACHABLE = { kind: 'unavailable', error: 'ECONNREFUSED', sent: false } as const
const DELETED = { type: 'token.deleted', actor: 'test' } as const
const NO_FILTER = { userName: null, clientId: null, provider: null, status: null, expiresBefore: null }

let storage: PostgresStorage
let replica: Replica

beforeAll(async () => {
  storage = await openStorage()
  replica = await storage.replica()
})
afterAll(() => storage.close())
beforeEach(async () => {
  for (const table of ['tokens', 'spent_renewals']) await storage.database.query(`delete from ${table}`)
})

/** Renews it as often as the provider allows in ten minutes. */
async function spend(id: string): Promise<void> {
  for (let count = 0; count < 10; count += 1) {
    const claim = await replica.claim(id, true)
    if (claim === null) throw new Error(`claim ${count + 1} was refused`)
    await replica.settle(claim, renewed(`access-${count}`))
    await storage.database.query('update tokens set expires_at = now()')
  }
}

const left = () => storage.database.query('select digest from spent_renewals')

describe('the renewals of a refresh token count on', () => {
  test.each([
    [
      'deleted',
      (id: string) => replica.store.delete({ namespaceId: storage.namespaceId, id }, DELETED, 'any'),
    ],
    ['deleted with others', () => replica.store.deleteMany(storage.namespaceId, NO_FILTER, DELETED)],
    ['revoked', async (id: string) => replica.store.deleteUntouched(await replica.read(id), DELETED)],
  ])('when its token is %s and it is saved again', async (_how, remove) => {
    const { id } = await replica.save(EXPIRED)
    await spend(id)
    await remove(id)
    const again = await replica.save(EXPIRED)
    expect(again.id).not.toBe(id)
    expect(await replica.claim(again.id, true)).toBeNull()
    await storage.age(again.id, 601)
    expect(await replica.claim(again.id, true)).not.toBeNull()
    expect(await left()).toEqual([])
  })

  test('when its token comes back to it from another one, which has renewals of its own', async () => {
    const { id } = await replica.save(EXPIRED)
    await spend(id)
    await replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
    await spend(id)
    await storage.database.query(`update tokens set status = 'reauth_required'`)
    await replica.save({ ...EXPIRED, id })
    expect(await replica.read(id)).toMatchObject({ status: 'active' })
    expect(await replica.claim(id, true)).toBeNull()
  })

  test('when the token is absorbed by a save that comes back to a former refresh token', async () => {
    const { id } = await replica.save(EXPIRED)
    await replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
    await spend(id)
    await storage.database.query(`update tokens set status = 'reauth_required'`)
    const ann = { clientId: 'client', userName: 'ann' }
    const user = await replica.save({ ...ann, accessToken: 'access-ann' })
    await replica.save({ ...ann, refreshToken: 'refresh-1' })
    await replica.save({ ...EXPIRED, id: user.id, refreshToken: 'refresh-3' })
    await storage.database.query(`update tokens set status = 'reauth_required'`)
    await replica.save({ ...EXPIRED, id: user.id, refreshToken: 'refresh-2' })
    expect((await replica.read(user.id)).status).toBe('active')
    expect(await replica.claim(user.id, true)).toBeNull()
  })
})

describe('a renewal that is under way while its token is deleted', () => {
  const claimed = async (words = EXPIRED) => {
    const { id } = await replica.save(words)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    return claim
  }
  const remove = ({ token }: Claim) => replica.store.delete(token, DELETED, 'any')
  const isHeld = async (id: string) => (await replica.claim(id, true)) === null

  test('holds back whoever saves the refresh token again, and what it brings is kept', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await replica.save(EXPIRED)
    expect(await isHeld(id)).toBe(true)
    await storage.database.query('update tokens set lease_until = now()')
    await replica.store.extend(claim)
    expect(await isHeld(id)).toBe(true)
    expect(await replica.settle(claim, renewed('access-2', 'refresh-2'))).toMatchObject({ id })
    const after = await replica.read(id)
    expect(after).toMatchObject({ leaseUntil: null, lostAt: null })
    expect(after.refreshToken?.reveal()).toBe('refresh-2')
  })

  test('lets them go when it fails', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await replica.save(EXPIRED)
    await replica.settle(claim, UNREACHABLE)
    expect(await isHeld(id)).toBe(false)
  })

  test('holds back for as long the same token, that is saved under its former id', async () => {
    const claim = await claimed()
    const { id } = claim.token
    await replica.save({ ...EXPIRED, id, refreshToken: 'refresh-0' })
    await storage.database.query(`update tokens set status = 'reauth_required'`)
    await replica.save({ ...EXPIRED, id })
    expect(await isHeld(id)).toBe(true)
    expect(await replica.settle(claim, renewed('access-2', 'refresh-2'))).toMatchObject({ leaseUntil: null })
  })

  test('is over when it has ended before the refresh token is saved again, and is known to have replaced it', async () => {
    const replaced = await claimed()
    const kept = await claimed({ ...EXPIRED, refreshToken: 'refresh-b' })
    for (const claim of [replaced, kept]) await remove(claim)
    await replica.settle(replaced, renewed('access-2', 'refresh-2'))
    await replica.settle(kept, renewed('access-2', 'refresh-b'))
    const lost = await replica.save(EXPIRED)
    expect(await replica.claim(lost.id)).toMatchObject({ token: { lostAt: replaced.claimedAt } })
    const sound = await replica.save({ ...EXPIRED, refreshToken: 'refresh-b' })
    expect(await replica.claim(sound.id)).toMatchObject({ token: { lostAt: null } })
  })

  test('is extended by its owner while no token has the refresh token', async () => {
    const claim = await claimed()
    await remove(claim)
    await storage.database.query('update spent_renewals set lease_until = now()')
    await replica.store.extend(claim)
    const { id } = await replica.save(EXPIRED)
    expect(await isHeld(id)).toBe(true)
  })

  test('is replayed at once, where its answer was lost, though an access token that lives is saved', async () => {
    const claim = await claimed()
    await replica.settle(claim, { kind: 'unavailable', error: 'timeout', sent: true }, ROTATING)
    await remove(claim)
    const { id } = await replica.save({ ...EXPIRED, accessToken: 'access-b', expiresInSeconds: 3600 })
    expect(await replica.read(id)).toMatchObject({ lostAt: claim.claimedAt })
    expect((await replica.read(id)).refreshDueAt?.getTime()).toBeLessThan(claim.claimedAt.getTime() + 60_000)
  })

  test('is taken over when its owner has died', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await replica.save(EXPIRED)
    await storage.age(id, 60)
    expect(await replica.claim(id)).not.toBeNull()
    expect(await storage.events(id)).toContain('renewal.taken_over')
  })
})

test.each([
  ['before', true],
  ['while it is renewed', false],
])(
  'how long a provider asks to be left alone counts on where the token is deleted %s',
  async (_when, before) => {
    const { id } = await replica.save(EXPIRED)
    const claim = await replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    const settle = () => replica.settle(claim, { kind: 'throttled', error: 'x', retryAfterSeconds: 300 })
    if (before) await settle()
    await replica.store.delete(claim.token, DELETED, 'any')
    if (!before) await settle()
    const again = await replica.save(EXPIRED)
    expect(await replica.claim(again.id, true)).toBeNull()
    await storage.age(again.id, 301)
    expect(await replica.claim(again.id)).not.toBeNull()
  },
)

test('a save that repeats the refresh token does not seal it anew', async () => {
  const sealed = () => storage.database.query('select refresh_token, client_secret from tokens')
  const words = { ...EXPIRED, clientSecret: 'secret' }
  const { id } = await replica.save(words)
  const before = await sealed()
  await replica.save({ ...words, scope: 'crm', accessToken: 'access-2', expiresInSeconds: 3600 })
  expect(await replica.read(id)).toMatchObject({ scope: 'crm', version: 2 })
  expect(await sealed()).toEqual(before)
})

test('a token that was never renewed leaves nothing behind', async () => {
  const { id } = await replica.save(EXPIRED)
  await replica.store.delete({ namespaceId: storage.namespaceId, id }, DELETED, 'any')
  expect(await left()).toEqual([])
})

test('what was left behind a day ago is swept away by the next save', async () => {
  const { id } = await replica.save(EXPIRED)
  await replica.claim(id, true)
  await replica.store.delete({ namespaceId: storage.namespaceId, id }, DELETED, 'any')
  expect(await left()).toHaveLength(1)
  await storage.database.query(`update spent_renewals set left_at = now() - interval '25 hours'`)
  await replica.save({ ...EXPIRED, refreshToken: 'refresh-2' })
  expect(await left()).toEqual([])
})

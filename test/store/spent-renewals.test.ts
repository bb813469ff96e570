import { describe, expect, test } from 'vitest'
import type { Claim } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import { useStorage } from '../support/memory-storage.ts'
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

const the = useStorage(openStorage)

/** Renews it as often as the provider allows in ten minutes. */
async function spend(id: string): Promise<void> {
  for (let count = 0; count < 10; count += 1) {
    const claim = await the.replica.claim(id, true)
    if (claim === null) throw new Error(`claim ${count + 1} was refused`)
    await the.replica.settle(claim, renewed(`access-${count}`))
    await the.storage.database.query('update tokens set expires_at = now()')
  }
}

const left = () => the.storage.database.query('select digest from spent_renewals')

describe('the renewals of a refresh token count on', () => {
  test.each([
    [
      'deleted',
      (id: string) => the.replica.store.delete({ namespaceId: the.storage.namespaceId, id }, DELETED, 'any'),
    ],
    ['deleted with others', () => the.replica.store.deleteMany(the.storage.namespaceId, NO_FILTER, DELETED)],
    ['revoked', async (id: string) => the.replica.store.deleteUntouched(await the.replica.read(id), DELETED)],
  ])('when its token is %s and it is saved again', async (_how, remove) => {
    const { id } = await the.replica.save(EXPIRED)
    await spend(id)
    await remove(id)
    const again = await the.replica.save(EXPIRED)
    expect(again.id).not.toBe(id)
    expect(await the.replica.claim(again.id, true)).toBeNull()
    await the.storage.age(again.id, 601)
    expect(await the.replica.claim(again.id, true)).not.toBeNull()
    expect(await left()).toEqual([])
  })

  test('when its token comes back to it from another one, which has renewals of its own', async () => {
    const { id } = await the.replica.save(EXPIRED)
    await spend(id)
    await the.replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
    await spend(id)
    await the.storage.database.query(`update tokens set status = 'reauth_required'`)
    await the.replica.save({ ...EXPIRED, id })
    expect(await the.replica.read(id)).toMatchObject({ status: 'active' })
    expect(await the.replica.claim(id, true)).toBeNull()
  })

  test('when the token is absorbed by a save that comes back to a former refresh token', async () => {
    const { id } = await the.replica.save(EXPIRED)
    await the.replica.save({ ...EXPIRED, id, refreshToken: 'refresh-2' })
    await spend(id)
    await the.storage.database.query(`update tokens set status = 'reauth_required'`)
    const ann = { clientId: 'client', userName: 'ann' }
    const user = await the.replica.save({ ...ann, accessToken: 'access-ann' })
    await the.replica.save({ ...ann, refreshToken: 'refresh-1' })
    await the.replica.save({ ...EXPIRED, id: user.id, refreshToken: 'refresh-3' })
    await the.storage.database.query(`update tokens set status = 'reauth_required'`)
    await the.replica.save({ ...EXPIRED, id: user.id, refreshToken: 'refresh-2' })
    expect((await the.replica.read(user.id)).status).toBe('active')
    expect(await the.replica.claim(user.id, true)).toBeNull()
  })
})

describe('a renewal that is under way while its token is deleted', () => {
  const claimed = async (words = EXPIRED) => {
    const { id } = await the.replica.save(words)
    const claim = await the.replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    return claim
  }
  const remove = ({ token }: Claim) => the.replica.store.delete(token, DELETED, 'any')
  const isHeld = async (id: string) => (await the.replica.claim(id, true)) === null

  test('holds back whoever saves the refresh token again, and what it brings is kept', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await the.replica.save(EXPIRED)
    expect(await isHeld(id)).toBe(true)
    await the.storage.database.query('update tokens set lease_until = now()')
    await the.replica.store.extend(claim)
    expect(await isHeld(id)).toBe(true)
    expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toMatchObject({ id })
    const after = await the.replica.read(id)
    expect(after).toMatchObject({ leaseUntil: null, lostAt: null })
    expect(after.refreshToken?.reveal()).toBe('refresh-2')
  })

  test('lets them go when it fails', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await the.replica.save(EXPIRED)
    await the.replica.settle(claim, UNREACHABLE)
    expect(await isHeld(id)).toBe(false)
  })

  test('holds back for as long the same token, that is saved under its former id', async () => {
    const claim = await claimed()
    const { id } = claim.token
    await the.replica.save({ ...EXPIRED, id, refreshToken: 'refresh-0' })
    await the.storage.database.query(`update tokens set status = 'reauth_required'`)
    await the.replica.save({ ...EXPIRED, id })
    expect(await isHeld(id)).toBe(true)
    const settled = await the.replica.settle(claim, renewed('access-2', 'refresh-2'))
    expect(settled).toMatchObject({ leaseUntil: null })
  })

  test('is over when it has ended before the refresh token is saved again, and is known to have replaced it', async () => {
    const replaced = await claimed()
    const kept = await claimed({ ...EXPIRED, refreshToken: 'refresh-b' })
    for (const claim of [replaced, kept]) await remove(claim)
    await the.replica.settle(replaced, renewed('access-2', 'refresh-2'))
    await the.replica.settle(kept, renewed('access-2', 'refresh-b'))
    const lost = await the.replica.save(EXPIRED)
    expect(await the.replica.claim(lost.id)).toMatchObject({ token: { lostAt: replaced.claimedAt } })
    const sound = await the.replica.save({ ...EXPIRED, refreshToken: 'refresh-b' })
    expect(await the.replica.claim(sound.id)).toMatchObject({ token: { lostAt: null } })
  })

  test('is extended by its owner while no token has the refresh token', async () => {
    const claim = await claimed()
    await remove(claim)
    await the.storage.database.query('update spent_renewals set lease_until = now()')
    await the.replica.store.extend(claim)
    const { id } = await the.replica.save(EXPIRED)
    expect(await isHeld(id)).toBe(true)
  })

  test('is replayed at once, where its answer was lost, though an access token that lives is saved', async () => {
    const claim = await claimed()
    await the.replica.settle(claim, { kind: 'unavailable', error: 'timeout', sent: true }, ROTATING)
    await remove(claim)
    const { id } = await the.replica.save({ ...EXPIRED, accessToken: 'access-b', expiresInSeconds: 3600 })
    const after = await the.replica.read(id)
    expect(after).toMatchObject({ lostAt: claim.claimedAt })
    expect(after.refreshDueAt?.getTime()).toBeLessThan(claim.claimedAt.getTime() + 60_000)
  })

  test('is taken over when its owner has died', async () => {
    const claim = await claimed()
    await remove(claim)
    const { id } = await the.replica.save(EXPIRED)
    await the.storage.age(id, 60)
    expect(await the.replica.claim(id)).not.toBeNull()
    expect(await the.storage.events(id)).toContain('renewal.taken_over')
  })
})

test.each([
  ['before', true],
  ['while it is renewed', false],
])(
  'how long a provider asks to be left alone counts on where the token is deleted %s',
  async (_when, before) => {
    const { id } = await the.replica.save(EXPIRED)
    const claim = await the.replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    const settle = () => the.replica.settle(claim, { kind: 'throttled', error: 'x', retryAfterSeconds: 300 })
    if (before) await settle()
    await the.replica.store.delete(claim.token, DELETED, 'any')
    if (!before) await settle()
    const again = await the.replica.save(EXPIRED)
    expect(await the.replica.claim(again.id, true)).toBeNull()
    await the.storage.age(again.id, 301)
    expect(await the.replica.claim(again.id)).not.toBeNull()
  },
)

test('a save that repeats the refresh token does not seal it anew', async () => {
  const sealed = () => the.storage.database.query('select refresh_token, client_secret from tokens')
  const words = { ...EXPIRED, clientSecret: 'secret' }
  const { id } = await the.replica.save(words)
  const before = await sealed()
  await the.replica.save({ ...words, scope: 'crm', accessToken: 'access-2', expiresInSeconds: 3600 })
  expect(await the.replica.read(id)).toMatchObject({ scope: 'crm', version: 2 })
  expect(await sealed()).toEqual(before)
})

test('a token that was never renewed leaves nothing behind', async () => {
  const { id } = await the.replica.save(EXPIRED)
  await the.replica.store.delete({ namespaceId: the.storage.namespaceId, id }, DELETED, 'any')
  expect(await left()).toEqual([])
})

test('what was left behind a day ago is swept away by the next save', async () => {
  const { id } = await the.replica.save(EXPIRED)
  await the.replica.claim(id, true)
  await the.replica.store.delete({ namespaceId: the.storage.namespaceId, id }, DELETED, 'any')
  expect(await left()).toHaveLength(1)
  await the.storage.database.query(`update spent_renewals set left_at = now() - interval '25 hours'`)
  await the.replica.save({ ...EXPIRED, refreshToken: 'refresh-2' })
  expect(await left()).toEqual([])
})

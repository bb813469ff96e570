import { describe, expect, test } from 'vitest'
import type { Claim } from '../../src/domain/renewal.ts'
import { ZOHO } from '../support/domain.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import { renewed } from '../support/token-storage.ts'

const GRANT = {
  clientId: 'client',
  refreshToken: 'refresh-1',
  accessToken: 'access-1',
  expiresInSeconds: 0,
}
const ROTATING = { ...ZOHO, rotates: 'always' } as const
const DELETED = { type: 'token.deleted', actor: 'test' } as const

describe.each(STORAGES)('what is settled late in %s', (_name, open) => {
  const the = useStorage(open)

  async function claimed(id: string): Promise<Claim> {
    const claim = await the.replica.claim(id)
    if (claim === null) throw new Error('the token was not claimed')
    return claim
  }

  async function secretsOf(id: string) {
    const { accessToken, refreshToken } = await the.replica.read(id)
    return [accessToken?.reveal(), refreshToken?.reveal()]
  }

  describe('the successor of a refresh token that has moved to another row during its renewal', () => {
    async function absorbedDuringRenewal() {
      const user = await the.replica.save({ clientId: 'client', userName: 'ann', accessToken: 'access-0' })
      const { id } = await the.replica.save(GRANT)
      const claim = await claimed(id)
      const into = await the.replica.save({ clientId: 'client', userName: 'ann', refreshToken: 'refresh-1' })
      expect(into.id).toBe(user.id)
      return { claim, id: into.id }
    }

    test('is kept by the token that absorbed the claimed one, once', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      for (let tries = 0; tries < 2; tries += 1) {
        const kept = await the.replica.settle(claim, renewed('access-2', 'refresh-2'))
        expect(kept).toMatchObject({ id, userName: 'ann', status: 'active', version: 3 })
      }
      expect(await secretsOf(id)).toEqual(['access-2', 'refresh-2'])
      expect((await the.storage.events(claim.token.id)).at(-1)).toBe('renewal.succeeded')
      expect((await the.replica.save({ refreshToken: 'refresh-2', scope: 'crm' })).id).toBe(id)
    })

    test('is waited for as before: nobody presents the same refresh token meanwhile', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      const { leaseUntil, refreshDueAt } = await the.replica.read(id)
      expect(leaseUntil).toEqual(claim.token.leaseUntil)
      expect(refreshDueAt?.getTime()).toBeLessThanOrEqual(leaseUntil?.getTime() ?? 0)
      expect(await the.replica.claim(id, true)).toBeNull()
      await the.replica.settle(claim, renewed('access-2', 'refresh-2'))
      const { leaseUntil: left, lostAt } = await the.replica.read(id)
      expect([left, lostAt]).toEqual([null, null])
    })

    test('is waited for as long as the one who claimed it says that it lives', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      await the.storage.age(id, 20)
      const aged = { ...claim, claimedAt: new Date(claim.claimedAt.getTime() - 20_000) }
      await the.replica.store.extend(aged)
      await the.storage.age(id, 20)
      expect(await the.replica.claim(id, true)).toBeNull()
    })

    test('is known to be lost when the lease has run out', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      await the.storage.age(id, 26)
      const since = new Date(claim.claimedAt.getTime() - 26_000)
      expect(await claimed(id)).toMatchObject({ token: { lostAt: since } })
      expect(await the.storage.factsOf(id, 'renewal.taken_over')).toMatchObject({
        from: 'replica',
        claimed_at: since.toISOString(),
      })
    })

    test('is waited for no more when there is none: a failure, or an access token alone', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      expect(await the.replica.settle(claim, renewed('access-2'))).toBeNull()
      expect(await claimed(id)).toMatchObject({ token: { lostAt: null } })
    })

    test('is kept by the token that was saved with it after a delete', async () => {
      const before = await the.replica.save(GRANT)
      const claim = await claimed(before.id)
      await the.replica.store.delete(before, DELETED, 'any')
      const { id } = await the.replica.save(GRANT)
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toMatchObject({ id })
      expect(await secretsOf(id)).toEqual(['access-2', 'refresh-2'])
    })

    test('is kept there though its former id has been given to another token', async () => {
      const before = await the.replica.save({ ...GRANT, id: 'token-1' })
      const claim = await claimed(before.id)
      await the.replica.store.delete(before, DELETED, 'any')
      const { id } = await the.replica.save(GRANT)
      await the.replica.save({ ...GRANT, id: 'token-1', refreshToken: 'refresh-b', accessToken: 'access-b' })
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toMatchObject({ id })
      expect(await secretsOf('token-1')).toEqual(['access-b', 'refresh-b'])
    })

    test('is dropped where the other row has a later one', async () => {
      const { claim, id } = await absorbedDuringRenewal()
      await the.storage.age(id, 26)
      await the.replica.settle(await claimed(id), renewed('access-3', 'refresh-3'))
      expect(await the.replica.settle(claim, renewed('access-2', 'refresh-2'))).toBeNull()
      expect(await secretsOf(id)).toEqual(['access-3', 'refresh-3'])
    })
  })

  test('the death of a grant is no matter of what else was saved meanwhile: it costs one request', async () => {
    const { id } = await the.replica.save(GRANT)
    const claim = await claimed(id)
    await the.replica.save({ ...GRANT, scope: 'crm', accessToken: 'access-b', expiresInSeconds: 3600 })
    const dead = await the.replica.settle(claim, { kind: 'dead', error: 'invalid_grant' })
    expect(dead).toMatchObject({ id, status: 'reauth_required', leaseUntil: null, scope: 'crm' })
    expect(await secretsOf(id)).toEqual(['access-b', 'refresh-1'])
    expect((await the.storage.events(id)).at(-1)).toBe('renewal.failed')
    expect(await the.replica.claim(id, true)).toBeNull()
  })

  test('a failure that a save has made void still tells that its answer was lost', async () => {
    const { id } = await the.replica.save(GRANT)
    const claim = await claimed(id)
    await the.replica.save({ ...GRANT, scope: 'crm' })
    const timedOut = { kind: 'unavailable', error: 'timeout', sent: true } as const
    expect(await the.replica.settle(claim, timedOut, ROTATING)).toBeNull()
    const left = await the.replica.read(id)
    expect(left).toMatchObject({ status: 'active', leaseUntil: null, lostAt: claim.claimedAt })
    expect(left.refreshDueAt?.getTime()).toBeLessThan(claim.claimedAt.getTime() + 60_000)
    const refused = { kind: 'dead', error: 'invalid_grant' } as const
    const dead = await the.replica.settle(await claimed(id), refused, ROTATING)
    expect(dead?.lastError?.detail).toContain('was lost')
  })

  test.each([
    [
      'the provider is waited for where it throttles',
      { kind: 'throttled', error: 'x', retryAfterSeconds: 60 },
      true,
    ],
    [
      'the provider is waited for where it asks for it',
      { kind: 'unavailable', error: 'http_503', sent: true, retryAfterSeconds: 60 },
      true,
    ],
    [
      'nothing is waited for otherwise: what was saved may have mended it',
      { kind: 'client_refused', error: 'x' },
      false,
    ],
  ] as const)('after a failure that a save has made void %s', async (_what, failure, waits) => {
    const { id } = await the.replica.save(GRANT)
    const claim = await claimed(id)
    await the.replica.save({ ...GRANT, scope: 'crm' })
    expect(await the.replica.settle(claim, failure)).toBeNull()
    expect(await the.replica.claim(id, true)).toEqual(waits ? null : expect.anything())
    await the.storage.age(id, 61)
    if (waits) expect(await the.replica.claim(id)).not.toBeNull()
  })

  test('what a replay has brought is tried at once where a late answer brings another one: nobody knows which came last', async () => {
    const { id } = await the.replica.save(GRANT)
    const late = await claimed(id)
    await the.storage.age(id, 26)
    const replay = await claimed(id)
    await the.replica.settle(replay, renewed('access-3', 'refresh-3'))
    const aged = { ...late, claimedAt: new Date(late.claimedAt.getTime() - 26_000) }
    expect(await the.replica.settle(aged, renewed('access-2', 'refresh-2'))).toBeNull()
    const { refreshDueAt, refreshedAt, lostAt } = await the.replica.read(id)
    expect(lostAt).toEqual(aged.claimedAt)
    expect(refreshDueAt?.getTime()).toBeLessThan((refreshedAt?.getTime() ?? 0) + 60_000)
    expect(await claimed(id)).toMatchObject({ token: { lostAt } })
  })

  test('what a save has brought is not tried for a late answer to another refresh token', async () => {
    const { id } = await the.replica.save(GRANT)
    const late = await claimed(id)
    await the.replica.save({ ...GRANT, id, refreshToken: 'refresh-b', accessToken: 'access-b' })
    await the.replica.settle(await claimed(id), renewed('access-c', 'refresh-c'))
    const before = await the.replica.read(id)
    expect(await the.replica.settle(late, renewed('access-2', 'refresh-2'))).toBeNull()
    expect(await the.replica.read(id)).toMatchObject({ lostAt: null, refreshDueAt: before.refreshDueAt })
  })

  test('an end that was committed, unheard, is told once, though the token has been renewed since', async () => {
    const down = { kind: 'unavailable', error: 'http_500', sent: true } as const
    const { id } = await the.replica.save(GRANT)
    const first = await claimed(id)
    await the.replica.settle(first, down)
    await the.storage.age(id, 600)
    await the.replica.settle(await claimed(id), renewed('access-2', 'refresh-2'))
    expect(await the.replica.settle(first, down)).not.toBeNull()
    expect(await the.storage.events(id)).not.toContain('renewal.dropped')
  })

  test('an answer with the access token that a later save has stored already is told as dropped', async () => {
    const { id } = await the.replica.save(GRANT)
    const claim = await claimed(id)
    await the.replica.store.delete(claim.token, DELETED, 'any')
    await the.replica.save({ ...GRANT, accessToken: 'access-2' })
    expect(await the.replica.settle(claim, renewed('access-2'))).toBeNull()
    expect(await the.storage.events(id)).toContain('renewal.dropped')
  })

  test('a successor is due at once where a replay may have brought another one', async () => {
    const { id } = await the.replica.save(GRANT)
    const late = await claimed(id)
    await the.storage.age(id, 26)
    const replay = await claimed(id)
    await the.replica.settle(late, renewed('access-2', 'refresh-2'))
    const { refreshDueAt, updatedAt, lostAt } = await the.replica.read(id)
    expect(lostAt).toEqual(replay.token.lostAt)
    expect(refreshDueAt).toEqual(updatedAt)
  })
})

import { expect, test } from 'vitest'
import type { Claim } from '../../src/domain/renewal.ts'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

const EXPIRED = { clientId: 'client', accessToken: 'access-1', expiresInSeconds: 0 }
const UNREADABLE = { kind: 'unavailable', error: 'secret_unreadable', sent: false } as const
const DELETED = { type: 'token.deleted', actor: 'test' } as const

const the = useStorage(openStorage)

/** A claim of a token whose refresh token does not open. */
async function claimed(refreshToken: string): Promise<Claim> {
  const { id } = await the.replica.save({ ...EXPIRED, refreshToken })
  await the.storage.database.query(
    'update tokens set refresh_token = set_byte(refresh_token, 12, get_byte(refresh_token, 12) # 1) where id = $1',
    [id],
  )
  const claim = await the.replica.claim(id)
  if (claim === null) throw new Error('the token was not claimed')
  expect(() => claim.token.refreshToken?.reveal()).toThrow('does not open')
  return claim
}

test.each([
  ['saved', ({ token: { id } }: Claim) => the.replica.save({ ...EXPIRED, id, accessToken: 'access-2' })],
  ['deleted', ({ token }: Claim) => the.replica.store.delete(token, DELETED, 'any')],
])(
  'the renewal of a token whose refresh token does not open ends though it is %s meanwhile',
  async (how, change) => {
    const claim = await claimed(how)
    await change(claim)
    expect(await the.replica.settle(claim, UNREADABLE)).toBeNull()
    expect(await the.storage.factsOf(claim.token.id, 'renewal.dropped')).toMatchObject({
      fence: claim.fence,
      sent: false,
    })
  },
)

test('a token whose refresh token does not open takes a new one', async () => {
  const { token } = await claimed('refresh-1')
  await the.replica.save({ ...EXPIRED, id: token.id, refreshToken: 'refresh-2' })
  const after = await the.replica.read(token.id)
  expect([after.status, after.refreshToken?.reveal()]).toEqual(['active', 'refresh-2'])
})

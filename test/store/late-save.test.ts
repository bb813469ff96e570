import pg from 'pg'
import { expect, test } from 'vitest'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

const GRANT = { clientId: 'client', refreshToken: 'refresh-1', accessToken: 'access-1', expiresInSeconds: 0 }
const DELETED = { type: 'token.deleted', actor: 'test' } as const

const the = useStorage(openStorage)

/** Keeps whoever saves this refresh token from its commit until it is called. */
async function holdUp(digest: Buffer): Promise<() => Promise<void>> {
  const other = new pg.Client({ connectionString: the.storage.database.url })
  await other.connect()
  await other.query('begin')
  await other.query('insert into refresh_tokens (namespace_id, token_id, digest) values ($1, $2, $3)', [
    the.storage.namespaceId,
    'held',
    digest,
  ])
  return () => other.end()
}

const waiting = async (lock: string) => {
  const [row] = await the.storage.database.query<{ count: number }>(
    `select count(*)::int from pg_locks where not granted and locktype = $1`,
    [lock],
  )
  return row?.count
}

test('the successor of a refresh token is kept by a token that is being saved with it', async () => {
  const before = await the.replica.save(GRANT)
  await the.replica.save({ ...GRANT, refreshToken: 'refresh-0', accessToken: 'access-0', id: 'held' })
  const claim = await the.replica.claim(before.id)
  if (claim === null) throw new Error('the token was not claimed')
  const [kept] = await the.storage.database.query<{ digest: Buffer }>(
    'select digest from refresh_tokens where token_id = $1',
    [before.id],
  )
  await the.replica.store.delete(before, DELETED, 'any')
  const release = await holdUp(kept?.digest ?? Buffer.alloc(0))
  const saved = the.replica.save(GRANT)
  await expect.poll(() => waiting('transactionid')).toBe(1)
  const settled = the.replica.settle(claim, renewed('access-2', 'refresh-2'))
  await expect.poll(() => waiting('advisory')).toBe(1)
  await release()
  expect(await settled).toMatchObject({ id: (await saved).id })
  expect((await the.replica.read((await saved).id)).refreshToken?.reveal()).toBe('refresh-2')
})

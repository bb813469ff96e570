import { expect, test } from 'vitest'
import { openStorage } from '../support/token-storage.ts'

test('tokens are the same in a database that writes moments and bytes in other forms', async () => {
  const storage = await openStorage()
  const name = new URL(storage.database.url).pathname.slice(1)
  for (const setting of ["timezone = 'Asia/Tokyo'", "bytea_output = 'escape'", "datestyle = 'SQL, DMY'"])
    await storage.database.query(`alter database ${name} set ${setting}`)
  const replica = await storage.replica()
  const last = new Date('9999-12-31T23:59:59.999Z')
  const saved = await replica.save({
    id: 'a',
    clientId: 'client',
    refreshToken: 'refresh',
    accessToken: 'access',
    expiresAt: last,
  })
  const found = await replica.read('a')
  const { tokens: listed } = await replica.store.list(storage.namespaceId, {
    filter: { userName: null, clientId: null, provider: null, status: null, expiresBefore: null },
    limit: 10,
    after: null,
    secrets: true,
  })
  for (const token of [found, ...listed]) {
    expect(token.expiresAt).toEqual(last)
    expect(token.accessToken?.reveal()).toBe('access')
    expect(token.createdAt).toEqual(saved.createdAt)
  }
  expect(listed).toHaveLength(1)
  const claim = await replica.claim('a', true)
  expect(claim?.token.refreshToken?.reveal()).toBe('refresh')
  await storage.close()
})

import { expect, test } from 'vitest'
import type { ApiKeyStore } from '../../src/domain/api-key.ts'
import { SCOPES } from '../../src/domain/caller.ts'
import type { KeyRequest } from '../../src/vault/api-keys.ts'
import { createApiKeys } from '../../src/vault/api-keys.ts'

const DAY_MS = 86_400_000
/** A year behind ours. */
const STORAGE_NOW = new Date(Date.now() - 365 * DAY_MS)
const CALLER = { keyId: 'test', namespaceId: 'n', scopes: new Set(SCOPES) }

const unexpected = () => Promise.reject(new Error('who makes a key only adds one'))
const store: ApiKeyStore = {
  now: () => Promise.resolve(STORAGE_NOW),
  add: (key) => Promise.resolve({ ...key, createdAt: STORAGE_NOW, lastUsedAt: null }),
  find: unexpected,
  list: unexpected,
  remove: unexpected,
  touch: unexpected,
}

const make = (expiresAt: KeyRequest['expiresAt']) =>
  createApiKeys(store).create(CALLER, { name: 'test', scopes: ['tokens:use'], expiresAt })

test('a key lives for 90 days by the clock of the storage, which judges it later', async () => {
  const { apiKey } = await make(null)
  expect(apiKey.expiresAt).toEqual(new Date(STORAGE_NOW.getTime() + 90 * DAY_MS))
})

test('a key is born expired by the clock of the storage, whatever ours says', async () => {
  const soon = new Date(STORAGE_NOW.getTime() + 1)
  expect((await make(soon)).apiKey.expiresAt).toEqual(soon)
  await expect(make(STORAGE_NOW)).rejects.toThrow('The key would be born expired.')
  expect((await make('never')).apiKey.expiresAt).toBeNull()
})

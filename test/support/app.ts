import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import type { ApiKey } from '../../src/domain/api-key.ts'
import type { Scope } from '../../src/domain/caller.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { AppOptions } from '../../src/http/app.ts'
import { createApp } from '../../src/http/app.ts'
import type { Vault } from '../../src/vault/vault.ts'

const API_KEY: ApiKey = {
  namespaceId: 'n',
  id: 'key',
  name: 'a key',
  scopes: ['admin'],
  createdAt: new Date(0),
  expiresAt: null,
  lastUsedAt: null,
}

/** The app over a vault of the test's own, in which a key is the list of its scopes: `tokens:list+admin`. */
export function createTestApp(
  vault: Partial<Vault>,
  more: Partial<AppOptions> = {},
): Promise<FastifyInstance> {
  const unexpected = () => Promise.reject(new Error('the test has no such call in mind'))
  return createApp({
    vault: {
      find: unexpected,
      get: unexpected,
      list: unexpected,
      save: unexpected,
      delete: unexpected,
      deleteMany: unexpected,
      refresh: unexpected,
      exchange: unexpected,
      revoke: unexpected,
      isRefreshable: () => true,
      noteUse: () => undefined,
      ...vault,
    },
    authenticator: {
      authenticate: (key) =>
        Promise.resolve(
          key === '' ? null : { keyId: 'key', namespaceId: 'n', scopes: new Set(key.split('+') as Scope[]) },
        ),
    },
    apiKeys: {
      create: () => Promise.resolve({ apiKey: API_KEY, key: new Secret('key') }),
      list: () => Promise.resolve([API_KEY]),
      revoke: () => Promise.resolve(),
    },
    history: { list: () => Promise.resolve([]), ofToken: () => Promise.resolve([]) },
    audit: { record: () => Promise.resolve(), close: () => Promise.resolve() },
    budget: { spend: () => null },
    rateLimit: null,
    clock: { monotonicMs: () => performance.now(), sleep: () => Promise.resolve() },
    observer: { answered: () => undefined, braked: () => undefined },
    ready: () => Promise.resolve(),
    metrics: () => Promise.resolve(''),
    logger: pino({ level: 'silent' }),
    version: '0.0.0',
    tls: null,
    ...more,
  })
}

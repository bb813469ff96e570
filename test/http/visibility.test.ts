import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SCOPES } from '../../src/domain/caller.ts'
import type { Scope } from '../../src/domain/caller.ts'
import { ROUTE_SCOPES } from '../../src/http/route-rules.ts'
import { createTestApp } from '../support/app.ts'
import { NOON, inSeconds, tokenOf } from '../support/domain.ts'

const token = tokenOf({
  id: 'a',
  userName: 'ann',
  clientId: 'app',
  clientSecret: 'the client secret',
  refreshToken: 'the refresh token',
  grantToken: 'the grant token',
  accessToken: 'the access token',
  tokenType: 'Bearer',
  scope: 'x',
  redirectUrl: 'https://app.example',
  apiDomain: 'https://api.example',
  expiresAt: inSeconds(3600),
  refreshDueAt: inSeconds(3000),
  lastError: { code: 'provider_error', detail: 'nonsense', at: NOON, attempts: 1 },
  refreshedAt: NOON,
  lastUsedAt: NOON,
})
const reading = { token, now: NOON }

let app: FastifyInstance
let uses = 0
let saves = 0

beforeAll(async () => {
  app = await createTestApp({
    find: () => Promise.resolve(reading),
    get: () => Promise.resolve(reading),
    list: () => Promise.resolve({ tokens: [token], now: NOON, next: null }),
    save: () => {
      saves += 1
      return Promise.resolve({ ...reading, created: true, absorbedId: null })
    },
    refresh: () => Promise.resolve(reading),
    exchange: () => {
      saves += 1
      return Promise.resolve({ ...reading, created: true })
    },
    revoke: () => Promise.resolve(),
    delete: () => Promise.resolve(),
    deleteMany: () => Promise.resolve(1),
    noteUse: () => (uses += 1),
  })
})

afterAll(() => app.close())

beforeEach(() => {
  uses = 0
  saves = 0
})

/** Every route that asks for a scope, with a request that it can answer. */
const ROUTES: { method: 'GET' | 'POST' | 'DELETE'; url: string; route: string; body?: object }[] = [
  { method: 'POST', url: '/v1/tokens/find', route: 'POST /v1/tokens/find', body: { id: 'a' } },
  { method: 'GET', url: '/v1/tokens/a', route: 'GET /v1/tokens/:id' },
  { method: 'POST', url: '/v1/tokens', route: 'POST /v1/tokens', body: { access_token: 't' } },
  { method: 'DELETE', url: '/v1/tokens/a', route: 'DELETE /v1/tokens/:id' },
  { method: 'GET', url: '/v1/tokens?include=secrets', route: 'GET /v1/tokens' },
  { method: 'DELETE', url: '/v1/tokens?all=true', route: 'DELETE /v1/tokens' },
  { method: 'GET', url: '/v1/tokens/a/access-token', route: 'GET /v1/tokens/:id/access-token' },
  { method: 'POST', url: '/v1/access-token', route: 'POST /v1/access-token', body: { id: 'a' } },
  { method: 'POST', url: '/v1/tokens/a/refresh', route: 'POST /v1/tokens/:id/refresh' },
  {
    method: 'POST',
    url: '/v1/tokens/exchange',
    route: 'POST /v1/tokens/exchange',
    body: { client_id: 'app', grant_token: 'code' },
  },
  { method: 'POST', url: '/v1/tokens/a/revoke', route: 'POST /v1/tokens/:id/revoke' },
  { method: 'GET', url: '/v1/tokens/a/events', route: 'GET /v1/tokens/:id/events' },
  { method: 'GET', url: '/v1/events', route: 'GET /v1/events' },
  { method: 'POST', url: '/v1/keys', route: 'POST /v1/keys', body: { name: 'a', scopes: ['admin'] } },
  { method: 'GET', url: '/v1/keys', route: 'GET /v1/keys' },
  { method: 'DELETE', url: '/v1/keys/a', route: 'DELETE /v1/keys/:id' },
]

/** The contract's table, in its own words. */
const NEEDED: Record<string, Scope> = {
  'POST /v1/tokens/find': 'tokens:list',
  'GET /v1/tokens/:id': 'tokens:list',
  'POST /v1/tokens': 'tokens:write',
  'DELETE /v1/tokens/:id': 'tokens:delete',
  'GET /v1/tokens': 'tokens:list',
  'DELETE /v1/tokens': 'tokens:delete',
  'GET /v1/tokens/:id/access-token': 'tokens:use',
  'POST /v1/access-token': 'tokens:use',
  'POST /v1/tokens/:id/refresh': 'tokens:write',
  'POST /v1/tokens/exchange': 'tokens:write',
  'POST /v1/tokens/:id/revoke': 'tokens:delete',
  'GET /v1/tokens/:id/events': 'tokens:list',
  'GET /v1/events': 'tokens:list',
  'POST /v1/keys': 'admin',
  'GET /v1/keys': 'admin',
  'DELETE /v1/keys/:id': 'admin',
}
const IMPLIED: Partial<Record<Scope, Scope[]>> = {
  'tokens:use': ['tokens:list'],
  'tokens:read': ['tokens:list', 'tokens:use'],
}
const allowed = (scope: Scope) => [scope, ...(IMPLIED[scope] ?? [])]

const SECRETS = {
  access_token: 'tokens:use',
  refresh_token: 'tokens:read',
  grant_token: 'tokens:read',
  client_secret: 'tokens:read',
} as const satisfies Record<string, Scope>

async function call(key: string, { method, url, body }: (typeof ROUTES)[number]) {
  const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) }
  return app.inject({ method, url, headers, ...(body && { body: JSON.stringify(body) }) })
}

test('the routes tried here are all that ask for a scope', () => {
  const guarded = Object.entries(ROUTE_SCOPES).filter(([, scope]) => scope !== 'public')
  expect(Object.fromEntries(guarded)).toEqual(NEEDED)
  expect(ROUTES.map(({ route }) => route).toSorted()).toEqual(Object.keys(NEEDED).toSorted())
})

const pairs = SCOPES.flatMap((scope) => ROUTES.map((route) => [scope, route.route, route] as const))

describe.each(pairs)('a key with %s at %s', (scope, _name, route) => {
  const needed = NEEDED[route.route]
  const enough = needed !== undefined && allowed(scope).includes(needed)

  test(`is ${enough ? 'answered' : 'refused, and told the scope that it lacks'}`, async () => {
    const answer = await call(scope, route)
    if (enough) {
      expect(answer.statusCode).toBeLessThan(300)
    } else {
      expect(answer.json()).toMatchObject({
        status: 403,
        code: 'insufficient_scope',
        detail: expect.stringContaining(needed ?? '?') as string,
      })
      expect(saves).toBe(0)
    }
  })

  test('sees no secret but those of its scope', async () => {
    const { payload } = await call(scope, route)
    for (const [field, needed] of Object.entries(SECRETS)) {
      const value = `the ${field.replace('_', ' ')}`
      const shown = payload.includes(value)
      if (!allowed(scope).includes(needed)) expect(shown, field).toBe(false)
      else if (enough && payload.includes('user_name')) expect(shown, field).toBe(true)
    }
  })
})

test('scopes add up: one to save, another to see what was saved', async () => {
  const save = ROUTES.find(({ route }) => route === 'POST /v1/tokens')
  if (save === undefined) throw new Error('no such route')
  expect((await call('tokens:write', save)).json()).not.toHaveProperty('access_token')
  const used = (await call('tokens:write+tokens:use', save)).json<object>()
  expect(used).toHaveProperty('access_token')
  expect(used).not.toHaveProperty('refresh_token')
  expect((await call('tokens:write+tokens:read', save)).json()).toHaveProperty('client_secret')
})

test('a key that may only list gets every field that is no secret', async () => {
  const answer = await app.inject({ url: '/v1/tokens/a', headers: { authorization: 'Bearer tokens:list' } })
  expect(answer.json()).toEqual({
    id: 'a',
    provider: 'zoho',
    user_name: 'ann',
    client_id: 'app',
    token_type: 'Bearer',
    scope: 'x',
    redirect_url: 'https://app.example',
    api_domain: 'https://api.example',
    expires_at: '2030-01-01T13:00:00.000Z',
    expires_in: 3600,
    status: 'active',
    refreshable: true,
    refresh_due_at: '2030-01-01T12:50:00.000Z',
    last_error: { code: 'provider_error', detail: 'nonsense', at: '2030-01-01T12:00:00.000Z', attempts: 1 },
    version: 1,
    created_at: '2030-01-01T11:00:00.000Z',
    updated_at: '2030-01-01T11:00:00.000Z',
    refreshed_at: '2030-01-01T12:00:00.000Z',
    last_used_at: '2030-01-01T12:00:00.000Z',
  })
})

test('a life asked for needs the scope of the access token', async () => {
  for (const [method, url, body] of [
    ['GET', '/v1/tokens/a?min_ttl=0', undefined],
    ['POST', '/v1/tokens/find', { id: 'a', min_ttl: 0 }],
  ] as const) {
    const request = { method, url, route: '', ...(body && { body }) }
    expect((await call('tokens:list', request)).json()).toMatchObject({
      code: 'insufficient_scope',
      detail: expect.stringContaining('tokens:use') as string,
    })
    expect((await call('tokens:use', request)).statusCode).toBe(200)
  }
})

test('a use is noted where an access token was given out that the caller did not bring, and only there', async () => {
  const noted = async (key: string, route: string) => {
    uses = 0
    const request = ROUTES.find((each) => each.route === route)
    if (request) await call(key, request)
    return uses
  }
  for (const route of ['POST /v1/tokens/find', 'GET /v1/tokens/:id', 'GET /v1/tokens/:id/access-token']) {
    expect(await noted('tokens:use', route)).toBe(1)
  }
  expect(await noted('tokens:list', 'GET /v1/tokens/:id')).toBe(0)
  expect(await noted('tokens:write+tokens:use', 'POST /v1/tokens')).toBe(0)
  expect(await noted('tokens:write+tokens:use', 'POST /v1/tokens/:id/refresh')).toBe(1)
  expect(await noted('tokens:write+tokens:use', 'POST /v1/tokens/exchange')).toBe(1)
})

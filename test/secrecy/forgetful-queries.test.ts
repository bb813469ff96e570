import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { SCOPES } from '../../src/domain/caller.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { makeNamespace } from '../support/namespaces.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

/** Statements that forget whose rows they are asked for; none matches at first. */
let forgetting = /$^/
let forgot = 0

/** By name or bare, of a table or not: every condition on the namespace is true. */
const CONDITION = /(?:\w+\.)?"?namespace_id"? = (\$\d+|of_namespace)(?:::uuid)?/g
type Query = (...args: unknown[]) => unknown
const prototype = pg.Client.prototype as unknown as { query: Query }
const query = prototype.query

let database: TestDatabase
let zoho: FakeZoho
let vault: TestVault
let north: TestNamespace
let south: TestNamespace

beforeAll(async () => {
  prototype.query = function (this: unknown, statement, ...more) {
    const text = typeof statement === 'string' ? statement : (statement as pg.QueryConfig).text
    if (!forgetting.test(text)) return query.call(this, statement, ...more)
    const forgetful = text.replace(CONDITION, '$1::text is not null')
    if (forgetful !== text) forgot += 1
    if (typeof statement === 'string') return query.call(this, forgetful, ...more)
    const { name } = statement as pg.QueryConfig
    return query.call(this, { ...(statement as object), name: `forgetful ${name ?? ''}`, text: forgetful })
  }
  database = await createTestDatabase()
  zoho = await FakeZoho.start()
  const acme = { name: 'acme', token_url: `${zoho.url}/oauth/v2/token`, min_interval: 0 }
  const env = { TOKEN_VAULT_REFRESHER: 'off' }
  vault = await startVault({ databaseUrl: database.url, env, providers: { providers: [acme] } })
  north = await makeNamespace(database.url, 'north', [[...SCOPES]])
  south = await makeNamespace(database.url, 'south', [[...SCOPES]])
})
afterAll(async () => {
  prototype.query = query
  await vault.close()
  await zoho.close()
  await database.drop()
})
beforeEach(async () => {
  forgetting = /$^/
  forgot = 0
  zoho.calls.length = 0
  await database.query('delete from tokens')
  await database.query('delete from refresh_tokens')
})

const as = ({ keys }: TestNamespace) => ({ authorization: `Bearer ${keys[0]?.key ?? ''}` })
const rowsOf = ({ id }: TestNamespace) =>
  database.query('select * from tokens where namespace_id = $1 order by id', [id])

async function save(side: TestNamespace, id: string, user_name: string) {
  const body = {
    id,
    user_name,
    provider: 'acme',
    client_id: zoho.client.id,
    client_secret: zoho.client.secret,
    refresh_token: zoho.refreshToken({ email: user_name, zgid: '1' }),
    access_token: `access of ${user_name}`,
    grant_token: `grant of ${user_name}`,
    expires_in: 1,
  }
  expect((await vault.save(body, as(side))).status).toBe(201)
  return body
}

test('a caller whose queries forget the namespace is told nothing of another one, and renews nothing there', async () => {
  const theirs = await save(north, 't-north', 'ann@north.example')
  const rows = await rowsOf(north)
  const { id, user_name, access_token, grant_token, refresh_token } = theirs
  const requests: [string, string, object?][] = [
    ...[{ id }, { user_name }, { access_token }, { grant_token }, { refresh_token }].map(
      (body): [string, string, object] => ['POST', '/v1/tokens/find', body],
    ),
    ['POST', '/v1/tokens/find', { id, min_ttl: 600 }],
    ['GET', `/v1/tokens/${id}`],
    ['GET', `/v1/tokens/${id}?min_ttl=600`],
    ['GET', '/v1/tokens?include=secrets'],
    ['GET', '/v1/tokens'],
    ['GET', `/v1/tokens/${id}/access-token`],
    ['POST', '/v1/access-token', { user_name }],
    ['POST', `/v1/tokens/${id}/refresh`],
    ['POST', '/v1/tokens', { id, scope: 'crm' }],
    ['POST', '/v1/tokens', { user_name, client_id: zoho.client.id, access_token: 'other' }],
  ]
  forgetting = /\btokens\b/
  const statuses = new Set<number>()
  for (const [method, path, body] of requests) {
    const { status, text } = await vault.call(method, path, body, as(south))
    statuses.add(status)
    expect([method, path, text]).toEqual([
      method,
      path,
      expect.not.stringMatching(/north|access of|grant of/),
    ])
    expect(text).not.toContain(refresh_token)
  }
  forgetting = /$^/
  expect(forgot).toBeGreaterThan(requests.length - 1)
  expect([...statuses].sort()).toEqual([404, 500])
  expect(zoho.count('refresh')).toBe(0)
  expect(await rowsOf(north)).toEqual(rows)
})

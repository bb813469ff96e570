import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { SCOPES } from '../../src/domain/caller.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { deleteNamespace } from '../../src/store/namespaces.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { makeNamespace } from '../support/namespaces.ts'
import { useWorld } from '../support/renewal-world.ts'
import type { Answer } from '../support/vault.ts'

const world = useWorld({ acme: { rotates: 'always' } })
const soon = { timeout: 10_000 }
let pool: Database
let namespace: TestNamespace

beforeAll(() => {
  pool = createDatabase({ urls: [world.database.url], size: 2, name: 'test', onLost: () => undefined })
})
afterAll(() => pool.close())
beforeEach(async ({ task }) => {
  namespace = await makeNamespace(world.database.url, task.id, [[...SCOPES]])
})

const call = (method: string, path: string, body?: object) =>
  world.vault.call(method, path, body, { authorization: `Bearer ${namespace.keys[0]?.key ?? ''}` })

async function saveExpired(): Promise<string> {
  const { client } = world.zoho
  const { body } = await call('POST', '/v1/tokens', {
    provider: 'acme',
    client_id: client.id,
    client_secret: client.secret,
    refresh_token: world.zoho.refreshToken(),
    access_token: 'a',
    expires_in: 0,
  })
  return body.id ?? ''
}

/** Deletes the namespace while the request waits for the provider; the tables that still know of it, and the answer. */
async function deletedDuring(kind: 'exchange' | 'refresh' | 'revoke', request: Promise<Answer>) {
  await expect.poll(() => world.zoho.count(kind), soon).toBe(1)
  await deleteNamespace(pool.db, namespace.id)
  const { status } = await request
  return { status, left: await tablesThatKnowIt() }
}

async function tablesThatKnowIt(): Promise<string[]> {
  const tables = await world.database.query<{ name: string }>(
    `select table_name as name from information_schema.columns where column_name = 'namespace_id'`,
  )
  expect(tables.length).toBeGreaterThan(6)
  const counts = tables.map(async ({ name }) => {
    const rows = await world.database.query(`select from ${name} where namespace_id = $1`, [namespace.id])
    return rows.length > 0 ? [name] : []
  })
  return (await Promise.all(counts)).flat()
}

test.each([204, 503])('nothing is left by a revocation that the provider answers with %i', async (status) => {
  world.zoho.make({ delayMs: 500, ...(status === 503 && { status, body: '' }) }, 'revoke', 1)
  const revoking = call('POST', `/v1/tokens/${await saveExpired()}/revoke`)
  expect(await deletedDuring('revoke', revoking)).toEqual({ status, left: [] })
})

test('nothing is left by an exchange that fails', async () => {
  world.zoho.make({ delayMs: 500, status: 400, body: '{"error":"invalid_grant"}' }, 'exchange', 1)
  const { client } = world.zoho
  const trading = call('POST', '/v1/tokens/exchange', {
    provider: 'acme',
    client_id: client.id,
    client_secret: client.secret,
    grant_token: 'code',
  })
  expect((await deletedDuring('exchange', trading)).left).toEqual([])
})

test.each([
  ['kills the token', 'invalid_grant', 400],
  ['refuses the client', 'invalid_client', 401],
])('nothing is left by a renewal whose answer %s', async (_how, error, status) => {
  world.zoho.make({ delayMs: 500, status, body: JSON.stringify({ error }) }, 'refresh', 1)
  const renewing = call('GET', `/v1/tokens/${await saveExpired()}/access-token`)
  expect((await deletedDuring('refresh', renewing)).status).toBeLessThan(500)
  expect(await tablesThatKnowIt()).toEqual([])
})

import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMasterKeys } from '../../src/config/formats.ts'
import { Secret } from '../../src/domain/secret.ts'
import { ROUTE_SCOPES } from '../../src/http/route-rules.ts'
import { createAuditKeys } from '../../src/telemetry/audit-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { Answer, AuditLine, TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

let database: TestDatabase
let zoho: FakeZoho
let vault: TestVault
const folder = mkdtempSync(join(tmpdir(), 'vault-audit-'))
const file = join(folder, 'log', 'audit.log')

beforeAll(async () => {
  database = await createTestDatabase()
  zoho = await FakeZoho.start({ lifetimeSeconds: 3600 })
  const dataCentre = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const providers = [{ name: 'zoho', default_data_centre: 'stand-in', data_centres: [dataCentre] }]
  const env = { TOKEN_VAULT_AUDIT_LOG: file }
  renameSync(mkdtempSync(join(folder, 'new-')), join(folder, 'log'))
  vault = await startVault({ databaseUrl: database.url, providers: { providers }, env })
})

afterAll(async () => {
  await vault.close()
  await zoho.close()
  await database.drop()
  rmSync(folder, { recursive: true })
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const linesOf = ({ headers }: Answer): AuditLine[] =>
  vault.audit().filter((line) => line.request_id === headers.get('x-request-id'))

let users = 0
/** A token with every secret that there is, which can be renewed. */
async function saveToken(fields: object = {}): Promise<string> {
  users += 1
  const { body } = await vault.save({
    user_name: `user-${users}`,
    client_id: zoho.client.id,
    client_secret: zoho.client.secret,
    refresh_token: zoho.refreshToken(),
    grant_token: `grant-${users}`,
    access_token: `access-${users}`,
    expires_in: 3600,
    api_domain: zoho.url,
    ...fields,
  })
  return body.id ?? ''
}

const isRenewalOf = ({ action, token_id }: AuditLine, id: string) =>
  action === 'token.renewed' && token_id === id

async function makeKey(scopes: string[]): Promise<string> {
  const { body } = await vault.call('POST', '/v1/keys', { name: 'test', scopes })
  return (body as { key: string }).key
}

/** A request to each route that needs a key. A route without one fails the test. */
const REQUESTS: Record<string, (id: string) => { path: string; body?: unknown }> = {
  'POST /v1/tokens/find': (id) => ({ path: '/v1/tokens/find', body: { id } }),
  'GET /v1/tokens/:id': (id) => ({ path: `/v1/tokens/${id}` }),
  'POST /v1/tokens': (id) => ({ path: '/v1/tokens', body: { id, scope: 'a' } }),
  'GET /v1/tokens': () => ({ path: '/v1/tokens?include=secrets' }),
  'GET /v1/tokens/:id/access-token': (id) => ({ path: `/v1/tokens/${id}/access-token` }),
  'POST /v1/access-token': (id) => ({ path: '/v1/access-token', body: { id } }),
  'POST /v1/tokens/:id/refresh': (id) => ({ path: `/v1/tokens/${id}/refresh` }),
  'POST /v1/tokens/exchange': () => ({
    path: '/v1/tokens/exchange',
    body: { client_id: zoho.client.id, client_secret: zoho.client.secret, grant_token: zoho.grant() },
  }),
  'POST /v1/tokens/:id/revoke': (id) => ({ path: `/v1/tokens/${id}/revoke` }),
  'DELETE /v1/tokens/:id': (id) => ({ path: `/v1/tokens/${id}` }),
  'DELETE /v1/tokens': () => ({ path: '/v1/tokens?user_name=nobody' }),
  'GET /v1/tokens/:id/events': (id) => ({ path: `/v1/tokens/${id}/events` }),
  'GET /v1/events': () => ({ path: '/v1/events' }),
  'POST /v1/keys': () => ({ path: '/v1/keys', body: { name: 'a', scopes: ['tokens:list'] } }),
  'GET /v1/keys': () => ({ path: '/v1/keys' }),
  'DELETE /v1/keys/:id': () => ({ path: '/v1/keys/unknown' }),
}
const ROUTES = Object.keys(ROUTE_SCOPES).filter((route) => ROUTE_SCOPES[route] !== 'public')

async function request(route: string, id: string, key = vault.key): Promise<Answer> {
  const make = REQUESTS[route]
  if (make === undefined) throw new Error(`${route} needs a request in this test`)
  const { path, body } = make(id)
  return vault.call(route.split(' ')[0] ?? '', path, body, bearer(key))
}

const SECRET_FIELDS = ['access_token', 'refresh_token', 'grant_token', 'client_secret', 'key']

/** Each secret of an answer, with the id of what it belongs to. */
function secretsOf(value: unknown): { of: unknown; field: string; secret: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const own = Object.entries(value).flatMap(([field, secret]) =>
    SECRET_FIELDS.includes(field) && typeof secret === 'string'
      ? [{ of: 'id' in value ? value.id : null, field, secret }]
      : [],
  )
  return [...own, ...Object.values(value).flatMap(secretsOf)]
}

describe('the audit log', () => {
  test.each(ROUTES)('%s: each secret of the answer has its line, and each line its secret', async (route) => {
    const id = await saveToken()
    const keys = createAuditKeys(parseMasterKeys(vault.masterKeys) ?? [])
    for (const scope of ['tokens:list', 'tokens:use', 'tokens:read']) {
      const key = await makeKey([scope, 'tokens:write', 'tokens:delete', 'admin'])
      const answer = await request(route, id, key)
      const shown = secretsOf(answer.body).map(({ of, field, secret }) => ({
        of,
        field,
        fingerprint: keys.fingerprint(keys.currentId, new Secret(secret)),
      }))
      const told = linesOf(answer).flatMap(({ token_id, key_id, disclosed = {} }) =>
        Object.entries(disclosed).map(([field, fingerprint]) => ({
          of: token_id ?? key_id,
          field,
          fingerprint,
        })),
      )
      const sorted = (list: object[]) => list.map((one) => JSON.stringify(one)).sort()
      expect(sorted(told)).toEqual(sorted(shown))
    }
  })

  test('has a line for each change, with who made it and of what', async () => {
    const id = await saveToken()
    const actor = 'bootstrap'
    const refreshed = await request('POST /v1/tokens/:id/refresh', id)
    expect(linesOf(refreshed)).toMatchObject([
      { action: 'token.refreshed', actor, token_id: id, outcome: 'ok' },
    ])
    const writer = await makeKey(['tokens:write'])
    const saved = await request('POST /v1/tokens', id, writer)
    expect(linesOf(saved)).toMatchObject([{ action: 'token.saved', token_id: id, outcome: 'ok' }])
    expect(linesOf(saved)[0]).not.toHaveProperty('disclosed')
    const deleted = await request('DELETE /v1/tokens/:id', id)
    expect(linesOf(deleted)).toMatchObject([{ action: 'token.deleted', actor, token_id: id, outcome: 'ok' }])
    const again = await request('DELETE /v1/tokens/:id', id)
    expect(linesOf(again)).toMatchObject([{ action: 'token.deleted', token_id: id, outcome: 'not_found' }])
    await saveToken()
    const many = await vault.call('DELETE', '/v1/tokens?all=true')
    expect(linesOf(many)).toMatchObject([{ action: 'tokens.deleted', count: many.body.deleted }])
    const made = await request('POST /v1/keys', id)
    const keyId = made.body.id ?? ''
    expect(linesOf(made)).toMatchObject([{ action: 'key.created', actor, key_id: keyId }])
    const revoked = await vault.call('DELETE', `/v1/keys/${keyId}`)
    expect(linesOf(revoked)).toMatchObject([{ action: 'key.revoked', actor, key_id: keyId, outcome: 'ok' }])
  })

  test('has a line for a renewal that failed, with the reason', async () => {
    const id = await saveToken()
    zoho.make('server_error')
    const failed = await request('POST /v1/tokens/:id/refresh', id)
    zoho.recover()
    expect(failed.status).toBeGreaterThanOrEqual(500)
    expect(linesOf(failed)).toMatchObject([
      { action: 'token.refreshed', token_id: id, outcome: failed.body.code },
    ])
  })

  test('has a line for each renewal that the vault makes by itself, with what came of it', async () => {
    const renewals = (id: string) => vault.audit().filter((line) => isRenewalOf(line, id))
    const id = await saveToken({ expires_in: 1 })
    await until(() => renewals(id).length > 0)
    expect(renewals(id)).toMatchObject([{ actor: 'refresher', outcome: 'ok' }])
    expect(renewals(id)[0]).not.toHaveProperty('disclosed')
    const dead = await saveToken({ expires_in: 1, refresh_token: 'revoked' })
    await until(() => renewals(dead).length > 0)
    expect(renewals(dead)).toMatchObject([{ actor: 'refresher', outcome: 'reauth_required' }])
  })

  test.each(ROUTES.filter((route) => route.startsWith('GET ')))(
    'HEAD for %s shows nothing: it has no line, and no length of a secret',
    async (route) => {
      const id = await saveToken()
      const key = await makeKey(['tokens:read', 'admin'])
      const { path } = REQUESTS[route]?.(id) ?? { path: '' }
      const answer = await vault.call('HEAD', path, undefined, bearer(key))
      expect([answer.status, answer.text, linesOf(answer)]).toEqual([200, '', []])
      expect(answer.headers.get('content-length')).toBeNull()
    },
  )

  test('holds no secret that went through the service', async () => {
    const id = await saveToken()
    const shown = await request('GET /v1/tokens/:id', id)
    const text = readFileSync(file, 'utf8')
    for (const { secret } of secretsOf(shown.body)) expect(text).not.toContain(secret)
    expect(text).not.toContain(vault.key)
  })

  test('that cannot be written lets nothing be disclosed, and recovers by itself', async () => {
    const ids = await Promise.all(ROUTES.map(() => saveToken()))
    const reading = ROUTES.filter((route) => !/^(DELETE|GET \/v1\/keys)|events$/.test(route))
    const away = join(folder, 'away')
    renameSync(join(folder, 'log'), away)
    await until(async () => (await vault.call('GET', '/readyz')).status === 503)
    for (const [at, route] of reading.entries()) {
      const { status, body, headers } = await request(route, ids[at] ?? '')
      expect([route, status, body.code]).toEqual([route, 503, 'storage_unavailable'])
      expect(body.detail).toContain('audit log')
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      expect(secretsOf(body)).toEqual([])
    }
    expect((await vault.call('DELETE', '/v1/tokens/unknown')).body).toMatchObject({
      code: 'storage_unavailable',
      status: 503,
    })
    expect((await request('GET /v1/keys', '')).status).toBe(200)
    const due = ids[0] ?? ''
    await database.query(`update tokens set refresh_due_at = now() where id = '${due}'`)
    const missing = (line: string) => line.includes(due) && line.includes('a renewal is missing')
    await until(() => vault.log().split('\n').some(missing))
    const renewed = `select 1 from tokens where id = '${due}' and refreshed_at is not null`
    expect(await database.query(renewed)).toHaveLength(1)
    renameSync(away, join(folder, 'log'))
    const answer = await request('GET /v1/tokens/:id', ids[0] ?? '')
    expect([answer.status, linesOf(answer).length]).toEqual([200, 1])
  })
})

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50))
}

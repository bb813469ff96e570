import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKeyStore } from '../../src/store/api-key-store.ts'
import { createDatabase } from '../../src/store/database.ts'
import { parseRaw, rawRequest } from '../support/raw-http.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault, useVault } from '../support/vault.ts'

const { database, vault } = useVault()
let replica: TestVault

beforeAll(async () => {
  const env = { TOKEN_VAULT_MASTER_KEYS: vault.masterKeys, TOKEN_VAULT_BOOTSTRAP_KEY: vault.key }
  replica = await startVault({ databaseUrl: database.url, env })
})

afterAll(() => replica.close())

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const create = async (body: object, by = vault.key) => vault.call('POST', '/v1/keys', body, bearer(by))
const statusWith = async (key: string, at = vault) =>
  (await at.call('GET', '/v1/tokens', undefined, bearer(key))).status

async function makeKey(scopes: string[]): Promise<{ id: string; key: string }> {
  const { status, body } = await create({ name: 'test', scopes })
  expect(status).toBe(201)
  return body as { id: string; key: string }
}

/** Waits until a condition holds, for as long as the contract allows. */
async function within(seconds: number, condition: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) if (await condition()) return true
  return false
}

describe('an API key', () => {
  test('is shown once, works at once on every replica, and is kept as a digest only', async () => {
    const { body } = await create({ name: 'crm', scopes: ['tokens:list'] })
    const { key, id } = body as { key: string; id: string }
    expect(key).toMatch(new RegExp(`^tv_${id}_[A-Za-z0-9_-]{43}$`))
    expect([await statusWith(key), await statusWith(key, replica)]).toEqual([200, 200])
    const listed = await vault.call('GET', '/v1/keys')
    expect(listed.text).toContain(id)
    expect(listed.text).not.toContain(key.slice(-43))
    const rows = JSON.stringify(await database.query("select *, encode(digest, 'escape') from api_keys"))
    expect(rows).not.toContain(key.slice(-43))
  })

  test('expires in 90 days unless it is said to live for ever, or until a time', async () => {
    const inDays = (text: unknown) => Math.round((Date.parse(String(text)) - Date.now()) / 86_400_000)
    expect(inDays((await create({ name: 'a', scopes: ['admin'] })).body.expires_at)).toBe(90)
    expect(
      (await create({ name: 'a', scopes: ['admin'], expires_at: 'never' })).body.expires_at,
    ).toBeUndefined()
    const at = new Date(Date.now() + 86_400_000).toISOString()
    expect((await create({ name: 'a', scopes: ['admin'], expires_at: at })).body.expires_at).toBe(at)
  })

  test('that would be born expired is refused by its field', async () => {
    const { status, body } = await create({
      name: 'a',
      scopes: ['admin'],
      expires_at: '2020-01-01T00:00:00Z',
    })
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/expires_at'])
  })

  test('with a scope that there is not is refused by one fault, as is one with a scope twice', async () => {
    for (const [scopes, pointer] of [
      [['tokens:list', 'tokens'], '/scopes/1'],
      [['admin', 'admin'], '/scopes'],
    ] as const) {
      const { status, body } = await create({ name: 'a', scopes })
      expect([status, body.errors]).toMatchObject([400, [{ pointer }]])
    }
  })

  test('is refused on every replica within 5 seconds of its revocation, with the answer of an unknown one', async () => {
    const { id, key } = await makeKey(['tokens:list'])
    expect([await statusWith(key), await statusWith(key, replica)]).toEqual([200, 200])
    expect((await vault.call('DELETE', `/v1/keys/${id}`)).status).toBe(204)
    expect(await within(5, async () => (await statusWith(key, replica)) === 401)).toBe(true)
    expect(await within(5, async () => (await statusWith(key)) === 401)).toBe(true)
    const revoked = await vault.call('GET', '/v1/tokens', undefined, bearer(key))
    const unknown = await vault.call(
      'GET',
      '/v1/tokens',
      undefined,
      bearer(`tv_${'0'.repeat(20)}_${'x'.repeat(43)}`),
    )
    expect({ ...revoked.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' })
    expect((await vault.call('DELETE', `/v1/keys/${id}`)).body.code).toBe('not_found')
  })

  test('that is revoked while a body trickles in is refused, and leaves no heir', async () => {
    const { id, key } = await makeKey(['admin'])
    const body = JSON.stringify({ name: 'heir', scopes: ['admin'] })
    const trickle = connect(Number(new URL(vault.url).port), '127.0.0.1')
    const head = ['POST /v1/keys HTTP/1.1', `Authorization: Bearer ${key}`, 'Content-Type: application/json']
    trickle.write(rawRequest([...head, `Content-Length: ${body.length}`], body.slice(0, -1)))
    const used = () => database.query('select from api_keys where id = $1 and last_used_at is not null', [id])
    await expect.poll(used).toHaveLength(1)
    await vault.call('DELETE', `/v1/keys/${id}`)
    expect(await within(5, async () => (await statusWith(key)) === 401)).toBe(true)
    trickle.write(body.slice(-1))
    expect(parseRaw(await text(trickle))).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
    expect((await vault.call('GET', '/v1/keys')).text).not.toContain('heir')
  })

  test('is refused once it has expired', async () => {
    const { key, id } = await makeKey(['tokens:list'])
    expect(await statusWith(key)).toBe(200)
    await database.query(`update api_keys set expires_at = now() - interval '1 second' where id = $1`, [id])
    expect(await within(5, async () => (await statusWith(key)) === 401)).toBe(true)
  })

  test('with another secret is refused', async () => {
    const { key } = await makeKey(['tokens:list'])
    const other = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
    expect(await statusWith(other)).toBe(401)
  })

  test('notes its last use once a minute, whichever replicas it is used at', async () => {
    const { key, id } = await makeKey(['tokens:list'])
    const lastUsed = async () => {
      const [row] = await database.query<{ at: Date | null }>(
        'select last_used_at as at from api_keys where id = $1',
        [id],
      )
      return row?.at ?? null
    }
    await Promise.all([statusWith(key), statusWith(key, replica)])
    expect(await within(5, async () => (await lastUsed()) !== null)).toBe(true)
    const first = await lastUsed()
    const opened = createDatabase({ urls: [database.url], size: 1, name: 'test', onLost: () => undefined })
    const store = createApiKeyStore(opened.db)
    const namespaceId = (await store.find(id))?.apiKey.namespaceId ?? ''
    await store.touch(namespaceId, id)
    expect(await lastUsed()).toEqual(first)
    await database.query(`update api_keys set last_used_at = now() - interval '61 seconds' where id = $1`, [
      id,
    ])
    await store.touch(namespaceId, id)
    expect((await lastUsed())?.getTime()).toBeGreaterThan(first?.getTime() ?? NaN)
    await opened.close()
  })
})

describe('a key with admin', () => {
  test('makes only keys whose scopes it holds itself', async () => {
    const { key } = await makeKey(['admin', 'tokens:read'])
    expect((await create({ name: 'a', scopes: ['tokens:use', 'admin'] }, key)).status).toBe(201)
    const refused = await create({ name: 'a', scopes: ['tokens:use', 'tokens:write'] }, key)
    expect([refused.status, refused.body.code]).toEqual([403, 'insufficient_scope'])
    expect(refused.body.detail).toContain('tokens:write')
  })

  test('is needed for keys: no other scope is enough', async () => {
    const { key } = await makeKey(['tokens:read', 'tokens:write', 'tokens:delete'])
    for (const [method, path] of [
      ['POST', '/v1/keys'],
      ['GET', '/v1/keys'],
      ['DELETE', '/v1/keys/x'],
    ] as const) {
      const body = method === 'POST' ? { name: 'a', scopes: ['tokens:list'] } : undefined
      expect((await vault.call(method, path, body, bearer(key))).status).toBe(403)
    }
  })

  test('leaves an event of what it made and revoked', async () => {
    const { id } = await makeKey(['tokens:list'])
    await vault.call('DELETE', `/v1/keys/${id}`)
    const events = await database.query<{ type: string; actor: string }>(
      `select type, actor from events where facts->>'key_id' = $1 order by id`,
      [id],
    )
    expect(events).toEqual([
      { type: 'key.created', actor: 'bootstrap' },
      { type: 'key.revoked', actor: 'bootstrap' },
    ])
  })
})

import { describe, expect, test } from 'vitest'
import type { Event } from '../../src/contract/events.ts'
import { useWorld } from '../support/renewal-world.ts'
import type { Answer } from '../support/vault.ts'

const world = useWorld({ acme: { timeout: 1 } })

const codeOf = (more: object = {}) => ({
  client_id: world.zoho.client.id,
  client_secret: world.zoho.client.secret,
  grant_token: world.zoho.grant(),
  redirect_url: 'https://app.example/back?x=1',
  api_domain: world.zoho.url,
  ...more,
})
const exchange = (code: object): Promise<Answer> => world.vault.call('POST', '/v1/tokens/exchange', code)
const requests = () => world.zoho.count('exchange')
const rows = () => world.database.query('select token_id, failure from exchanges')
async function events(path: string): Promise<Event[]> {
  const { body } = await world.vault.call('GET', path)
  return (body as { events: Event[] }).events
}

/** In the metrics. */
async function counted(outcome: string): Promise<number> {
  const { text } = await world.vault.call('GET', '/metrics')
  return Number(text.match(`token_vault_exchanges_total{.*outcome="${outcome}".*} (\\d+)`)?.[1] ?? 0)
}

describe('an authorization code', () => {
  test('is traded for a token that is saved, with its user, client and expiry', async () => {
    const code = codeOf({ user_name: 'Ann' })
    const { status, headers, body } = await exchange(code)
    expect(status).toBe(201)
    expect(body).toMatchObject({
      ...code,
      provider: 'zoho',
      version: 1,
      refreshable: true,
      status: 'active',
    })
    expect(body.expires_in).toBeGreaterThan(3590)
    expect(headers.get('location')).toBe(`/v1/tokens/${body.id ?? ''}`)
    expect(headers.get('etag')).toBe('"1"')
    expect(world.zoho.grants.userOf(body.access_token ?? '')).toEqual(world.zoho.user)
    expect(world.zoho.grants.isLive(body.refresh_token ?? '')).toBe(true)
    const { version, updated_at } = body
    expect(await world.read(body.id ?? '')).toMatchObject({
      access_token: body.access_token,
      version,
      updated_at,
    })
    const told = await events(`/v1/tokens/${body.id ?? ''}/events`)
    expect(told.map(({ type, outcome }) => [type, outcome])).toEqual([
      ['exchange.succeeded', 'ok'],
      ['token.created', undefined],
    ])
    expect(await rows()).toEqual([{ token_id: body.id, failure: null }])
  })

  test('that was traded here before is answered with its token, without a request', async () => {
    const code = codeOf()
    const first = await exchange(code)
    const again = await exchange({ ...code, client_secret: null, redirect_url: '' })
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({ id: first.body.id, access_token: first.body.access_token, version: 1 })
    expect(requests()).toBe(1)
  })

  test('whose token has a newer one by now is answered with that token, without a request', async () => {
    const code = codeOf({ user_name: 'ann' })
    const { body: first } = await exchange(code)
    const { body: newer } = await exchange(codeOf({ user_name: 'ann' }))
    expect(newer.id).toBe(first.id)
    const again = await exchange(code)
    expect([again.status, again.body.id]).toEqual([200, first.id])
    expect(again.body.access_token).toBe(newer.access_token)
    expect(await exchange({ ...code, user_name: 'bob' })).toMatchObject({
      status: 409,
      body: { code: 'conflict', token_id: first.id },
    })
    expect(requests()).toBe(2)
  })

  test('whose token was deleted is refused, without a request', async () => {
    const code = codeOf()
    const { body: traded } = await exchange(code)
    await world.vault.call('DELETE', `/v1/tokens/${traded.id ?? ''}`)
    const { status, body } = await exchange(code)
    expect([status, body.code]).toEqual([422, 'grant_refused'])
    expect(body.detail).toContain('has been deleted')
    expect(requests()).toBe(1)
  })

  test('of a user who has a token brings it to life again, and changes no other', async () => {
    const { id } = await world.save(0, { user_name: 'ann', refresh_token: 'a dead one' })
    expect((await world.refresh(id)).body.code).toBe('reauth_required')
    const { status, body } = await exchange(codeOf({ user_name: 'ANN' }))
    expect([status, body.id, body.status, body.version]).toEqual([201, id, 'active', 3])
    expect(await world.vault.find({ refresh_token: 'a dead one' })).toMatchObject({ body: { id } })
  })

  test('for which the provider gives the same refresh token again brings that to life', async () => {
    const { id, refresh_token } = await world.save(0, { user_name: 'ann' })
    world.zoho.make('invalid_code', 'refresh', 1)
    expect((await world.refresh(id)).body.code).toBe('reauth_required')
    const code = codeOf({ user_name: 'ann' })
    world.zoho.grants.regrant(code.grant_token, refresh_token ?? '')
    const { status, body } = await exchange(code)
    expect([status, body.id, body.refresh_token]).toEqual([201, id, refresh_token])
    expect(body).toMatchObject({ status: 'active', refreshable: true })
    expect(body).toHaveProperty('refresh_due_at')
    expect(body).not.toHaveProperty('last_error')
  })

  test('that a save brought before is traded for the token that has it', async () => {
    const code = codeOf()
    const saved = await world.vault.save({ client_id: code.client_id, grant_token: code.grant_token })
    const { status, body } = await exchange({ ...code, user_name: 'ann' })
    expect([status, body.id, body.user_name]).toEqual([201, saved.body.id, 'ann'])
  })

  test('that several tokens hold, of which one was traded for it, is answered with that one', async () => {
    const code = codeOf({ user_name: 'Ann' })
    const { body: traded } = await exchange(code)
    const { client_id, grant_token } = code
    const bob = { id: 'a-bob', user_name: 'Bob', provider: 'zoho', client_id }
    await world.vault.save({ ...bob, grant_token: 'another' })
    expect((await world.vault.save({ ...bob, grant_token })).status).toBe(200)
    const again = await exchange(code)
    expect([again.status, again.body.id]).toEqual([200, traded.id])
    expect(again.body.access_token).toBe(traded.access_token)
  })

  test("that was traded for another user's token is a conflict, without a request", async () => {
    const code = codeOf({ user_name: 'ann' })
    const { body } = await exchange(code)
    expect(await exchange({ ...code, user_name: 'bob' })).toMatchObject({
      status: 409,
      body: { code: 'conflict', token_id: body.id },
    })
    expect(requests()).toBe(1)
  })

  test('that a save brought for another user is a conflict, and not spent', async () => {
    const code = codeOf()
    const { client_id, grant_token } = code
    const { body } = await world.vault.save({ client_id, grant_token, user_name: 'cid' })
    expect(await exchange({ ...code, user_name: 'bob' })).toMatchObject({
      status: 409,
      body: { code: 'conflict', token_id: body.id },
    })
    expect(requests()).toBe(0)
    const cids = await exchange({ ...code, user_name: 'CID' })
    expect([cids.status, cids.body.id]).toEqual([201, body.id])
  })

  test('comes with the redirect URL and the verifier that it is bound to', async () => {
    const { zoho } = world
    const bound = { redirectUrl: 'https://app.example/cb', verifier: 'v'.repeat(43) }
    const grant_token = zoho.grants.createCode(zoho.client.id, zoho.user, bound)
    const code = codeOf({ grant_token, redirect_url: bound.redirectUrl })
    expect((await exchange(code)).body.code).toBe('grant_refused')
    const { status, text } = await exchange({ ...code, code_verifier: bound.verifier })
    expect(status).toBe(201)
    expect(text).not.toContain(bound.verifier)
  })

  test.each([
    ['provider', { provider: 'nowhere' }, '/provider', 'zoho'],
    ['data centre', { api_domain: 'https://nowhere.example' }, '/api_domain', 'https://www.zohoapis.eu'],
    ['client', { client_id: '' }, '/client_id', ''],
    ['code', { grant_token: null }, '/grant_token', ''],
    ['field', { token_url: 'https://evil.example' }, '/token_url', ''],
  ])(
    'of an unknown or missing %s is refused by its name, without a request',
    async (_of, more, pointer, named) => {
      const { status, body } = await exchange(codeOf(more))
      expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid_request', pointer])
      expect(body.errors?.[0]?.detail).toContain(named)
      expect(requests()).toBe(0)
    },
  )
})

describe('a provider that', () => {
  test.each([
    ['refuses the code', 'invalid_code', 422, 'grant_refused'],
    ['refuses the client', 'invalid_client', 502, 'client_refused'],
    ['refuses the secret', 'invalid_client_secret', 502, 'client_refused'],
    ['is busy', 'throttled', 503, 'provider_throttled'],
    ['fails', 'server_error', 503, 'provider_unavailable'],
    ['hangs up', 'reset', 503, 'provider_unavailable'],
    ['makes no sense', 'not_json', 502, 'provider_error'],
    ['forgets the access token', 'no_access_token', 502, 'provider_error'],
  ] as const)('%s is told so, and nothing is saved', async (_how, trouble, status, outcome) => {
    world.zoho.make(trouble, 'exchange', 1)
    const code = codeOf()
    const answer = await exchange(code)
    expect([answer.status, answer.body.code]).toEqual([status, outcome])
    if (status === 503) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await world.vault.call('GET', '/v1/tokens')).body.tokens).toEqual([])
    expect((await events('/v1/events'))[0]).toMatchObject({
      type: 'exchange.failed',
      outcome,
      detail: { provider: 'zoho', client_id: code.client_id },
    })
    await expect.poll(() => counted(outcome), { timeout: 10_000 }).toBeGreaterThan(0)
    expect((await exchange(code)).status).toBe(201)
    expect(requests()).toBe(2)
  })

  test('has spent a code whose answer never came says so at the next attempt', async () => {
    world.zoho.make('hang', 'exchange', 1)
    const code = codeOf({ provider: 'acme' })
    expect((await exchange(code)).body.code).toBe('provider_unavailable')
    world.zoho.make('invalid_code', 'exchange', 1)
    const { status, body } = await exchange(code)
    expect([status, body.code]).toEqual([422, 'grant_refused'])
    expect(body.detail).toContain('its outcome was lost')
  })

  test('may know the code in another data centre is told apart', async () => {
    const { body } = await exchange(codeOf({ grant_token: 'unknown', api_domain: null }))
    expect(body).toMatchObject({
      code: 'grant_refused',
      detail: expect.stringContaining('api_domain') as string,
    })
  })
})

test('an exchange goes on when its caller has left', async () => {
  world.zoho.make({ delayMs: 300 }, 'exchange')
  const code = codeOf()
  const leaving = new AbortController()
  const left = fetch(`${world.vault.url}/v1/tokens/exchange`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.vault.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(code),
    signal: leaving.signal,
  })
  await expect.poll(requests).toBe(1)
  leaving.abort()
  await expect(left).rejects.toThrow('abort')
  const found = () => world.vault.find({ grant_token: code.grant_token })
  await expect.poll(async () => (await found()).status, { timeout: 5000 }).toBe(200)
})

test('neither code nor verifier nor secret can be read in the log, the audit log or a table', async () => {
  const secrets = { client_secret: 'xx-the-secret-xx', code_verifier: `${'w'.repeat(40)}-the-verifier` }
  world.zoho.grants.addClient('canary', secrets.client_secret)
  const bound = { verifier: secrets.code_verifier }
  const codes = [0, 1].map(() => world.zoho.grants.createCode('canary', world.zoho.user, bound))
  const [grant_token = '', refused = ''] = codes
  expect((await exchange(codeOf({ client_id: 'canary', ...secrets, grant_token }))).status).toBe(201)
  world.zoho.make({ status: 400, body: JSON.stringify({ error: refused }) }, 'exchange', 1)
  expect((await exchange(codeOf({ client_id: 'canary', ...secrets, grant_token: refused }))).status).toBe(502)
  const tables = ['tokens', 'exchanges', 'events'].map(
    (table) => `select ${table}::text as row from ${table}`,
  )
  const stored = await world.database.query<{ row: string }>(tables.join(' union all '))
  expect(stored.length).toBeGreaterThan(3)
  const told = `${stored.map(({ row }) => row).join('\n')}${world.vault.log()}${JSON.stringify(world.vault.audit())}`
  for (const secret of [...Object.values(secrets), ...codes]) {
    expect(told).not.toContain(secret)
    expect(told).not.toContain(Buffer.from(secret).toString('hex'))
  }
})

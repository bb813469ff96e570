import { beforeEach, describe, expect, test } from 'vitest'
import { useVault } from '../support/vault.ts'

const { database, vault } = useVault()

beforeEach(async () => {
  expect((await vault.call('DELETE', '/v1/tokens?all=true')).text).toMatch(/deleted/)
})

const LATER = '2040-01-01T00:00:00.000Z'
const ann = { user_name: 'ann', client_id: 'app' }

const count = async () => (await vault.call('GET', '/v1/tokens?limit=1000')).body.tokens?.length
const eventsOf = (id: string | undefined) =>
  database.query<{ type: string; facts: object }>(
    'select type, facts from events where token_id = $1 order by id',
    [id],
  )

describe('a new token', () => {
  test('is answered with 201, its place and its version', async () => {
    const { status, headers, body } = await vault.save({ ...ann, access_token: 'a' })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/tokens/${body.id}`)
    expect(headers.get('etag')).toBe('"1"')
    expect(body).toMatchObject({ ...ann, access_token: 'a', provider: 'zoho', version: 1, status: 'active' })
    expect((await vault.call('GET', headers.get('location') ?? '')).body).toMatchObject({ id: body.id })
  })

  test('has a UUIDv7 for an id', async () => {
    const { body } = await vault.save({ access_token: 'a' })
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('takes the id that no token has', async () => {
    const { status, body, headers } = await vault.save({ id: 'my:own_id-1.', access_token: 'a' })
    expect([status, body.id]).toEqual([201, 'my:own_id-1.'])
    expect((await vault.call('GET', headers.get('location') ?? '')).status).toBe(200)
  })

  test('keeps every field that it was given', async () => {
    const fields = {
      id: 'whole',
      provider: 'acme',
      ...ann,
      client_secret: 's',
      refresh_token: 'r',
      grant_token: 'g',
      access_token: 'a',
      token_type: 'Bearer',
      scope: 'x y',
      redirect_url: 'https://app.example/back?a=1,2&b=%s',
      api_domain: 'https://api.example',
      expires_at: LATER,
    }
    await vault.save(fields)
    expect((await vault.call('GET', '/v1/tokens/whole')).body).toMatchObject({
      ...fields,
      refreshable: false,
    })
  })

  test('holds texts as long as the limits allow, in any letters', async () => {
    const random = (length: number) =>
      Array.from({ length }, (_, index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join('')
    const fields = {
      user_name: random(1024),
      client_id: random(1024),
      scope: random(1024),
      provider: random(1024),
    }
    const { status, body } = await vault.save({ ...fields, access_token: 'a' })
    expect(status).toBe(201)
    expect((await vault.find({ user_name: fields.user_name, client_id: fields.client_id })).body.id).toBe(
      body.id,
    )
    const tokens = {
      refresh_token: 'r'.repeat(16_384),
      access_token: 'a'.repeat(16_384),
      grant_token: '語'.repeat(5000),
    }
    expect((await vault.save(tokens)).status).toBe(201)
    expect((await vault.find({ refresh_token: tokens.refresh_token })).body).toMatchObject(tokens)
  })

  test('without any token is nothing to store', async () => {
    for (const body of [
      {},
      ann,
      { id: 'x' },
      { ...ann, access_token: '', refresh_token: null },
      { client_secret: 's' },
    ]) {
      const answer = await vault.save(body)
      expect([answer.status, answer.body.code]).toEqual([422, 'nothing_to_store'])
    }
    expect(await count()).toBe(0)
  })
})

describe('a save of what is stored', () => {
  test('is answered with 200 and the token as it now is', async () => {
    const { body: first } = await vault.save({ ...ann, access_token: 'a', scope: 'x' })
    const { status, headers, body } = await vault.save({ ...ann, access_token: 'b' })
    expect([status, headers.get('etag'), headers.get('location')]).toEqual([
      200,
      '"2"',
      `/v1/tokens/${first.id}`,
    ])
    expect(body).toMatchObject({ id: first.id, access_token: 'b', scope: 'x', version: 2 })
    expect(await count()).toBe(1)
  })

  test('changes nothing, not even the version, when it comes again', async () => {
    const fields = { ...ann, refresh_token: 'r', access_token: 'a', expires_at: LATER }
    const { body: first } = await vault.save(fields)
    const { status, body } = await vault.save(fields)
    expect([status, body.version, body.updated_at]).toEqual([200, 1, first.updated_at])
  })

  test('leaves fields alone that it gives as empty or null', async () => {
    await vault.save({ ...ann, access_token: 'a', scope: 'x', client_secret: 's' })
    const { body } = await vault.save({ ...ann, scope: '', client_secret: null, expires_at: '' })
    expect(body).toMatchObject({ scope: 'x', client_secret: 's', version: 1 })
  })

  test('gives a token without user and client both', async () => {
    const { body: first } = await vault.save({ refresh_token: 'r' })
    const { status, body } = await vault.save({ ...ann, refresh_token: 'r' })
    expect([status, body.id, body.user_name, body.client_id]).toEqual([200, first.id, 'ann', 'app'])
  })

  test('needs no token where it names one by its user', async () => {
    await vault.save({ ...ann, access_token: 'a' })
    expect((await vault.save({ user_name: 'Ann', scope: 'x' })).body).toMatchObject({
      user_name: 'ann',
      scope: 'x',
    })
  })

  test('keeps one token for one user, client and provider', async () => {
    for (const provider of ['zoho', 'acme']) {
      for (const client_id of ['app', 'other']) {
        expect((await vault.save({ user_name: 'ann', client_id, provider, access_token: 'a' })).status).toBe(
          201,
        )
        expect(
          (await vault.save({ user_name: 'ÀNN'.replace('À', 'A'), client_id, provider, access_token: 'b' }))
            .status,
        ).toBe(200)
      }
    }
    expect(await count()).toBe(4)
  })

  test('without a client is ambiguous where several tokens match', async () => {
    const one = await vault.save({ ...ann, access_token: 'a' })
    const two = await vault.save({ ...ann, client_id: 'other', access_token: 'b' })
    const { status, body } = await vault.save({ user_name: 'ann', scope: 'x' })
    expect([status, body.code]).toEqual([409, 'ambiguous_match'])
    expect(body.matches?.toSorted()).toEqual([one.body.id, two.body.id].toSorted())
  })

  test('by an id that no token has updates the token of its user', async () => {
    const { body: first } = await vault.save({ user_name: 'ann', access_token: 'a' })
    const { status, body } = await vault.save({ id: 'other', user_name: 'ann', access_token: 'b' })
    expect([status, body.id]).toEqual([200, first.id])
  })

  test('absorbs the token without a user that has its refresh token', async () => {
    const { body: mine } = await vault.save({ ...ann, access_token: 'a' })
    const { body: orphan } = await vault.save({ refresh_token: 'r0', client_id: 'app', client_secret: 's' })
    await vault.save({ id: orphan.id, refresh_token: 'r' })
    const { status, body } = await vault.save({ ...ann, refresh_token: 'r' })
    expect([status, body.id]).toEqual([200, mine.id])
    expect(body).toMatchObject({ access_token: 'a', client_secret: 's', refresh_token: 'r' })
    expect((await vault.call('GET', `/v1/tokens/${orphan.id}`)).status).toBe(404)
    expect((await vault.find({ refresh_token: 'r0' })).body.id).toBe(mine.id)
    expect((await vault.find({ refresh_token: 'r' })).body).toMatchObject({ id: mine.id, client_secret: 's' })
    expect(await eventsOf(mine.id)).toContainEqual({ type: 'token.absorbed', facts: { token_id: orphan.id } })
    expect(vault.audit()).toContainEqual(
      expect.objectContaining({ action: 'token.saved', token_id: mine.id, absorbed: orphan.id }),
    )
  })
})

describe('a conflict', () => {
  test('names the matched token whose user, client or provider would change, and changes nothing', async () => {
    const { body: stored } = await vault.save({ ...ann, id: 'a', access_token: 'a' })
    for (const change of [{ user_name: 'bob' }, { client_id: 'other' }, { provider: 'acme' }]) {
      const { status, body } = await vault.save({ id: 'a', scope: 'new', ...change })
      expect([status, body.code, body.token_id]).toEqual([409, 'conflict', 'a'])
    }
    expect((await vault.call('GET', '/v1/tokens/a')).body).toMatchObject({ version: stored.version })
  })

  test('names the token that owns the identity', async () => {
    await vault.save({ ...ann, id: 'a', access_token: 'a', refresh_token: 'r' })
    await vault.save({ id: 'b', access_token: 'b' })
    for (const identity of [ann, { refresh_token: 'r' }]) {
      expect((await vault.save({ id: 'b', ...identity })).body).toMatchObject({
        code: 'conflict',
        token_id: 'a',
      })
    }
    expect((await vault.save({ user_name: 'bob', client_id: 'app', refresh_token: 'r' })).body.token_id).toBe(
      'a',
    )
    expect(await count()).toBe(2)
  })
})

describe('the expiry', () => {
  test('is answered both as a time and as whole seconds left', async () => {
    const { body } = await vault.save({ access_token: 'a', expires_in: 5000 })
    expect(body.expires_in === 5000 || body.expires_in === 4999).toBe(true)
    expect(body.expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('is stored in UTC with milliseconds, whatever the offset', async () => {
    const { body } = await vault.save({ access_token: 'a', expires_at: '2040-01-01T01:30:00.1239+01:30' })
    expect(body.expires_at).toBe('2040-01-01T00:00:00.123Z')
    const again = await vault.save({ access_token: 'a', expires_at: '2041-01-01t00:00:00.5z' })
    expect(again.body.expires_at).toBe('2041-01-01T00:00:00.500Z')
  })

  test('of an expired token is zero seconds away', async () => {
    const { body } = await vault.save({ access_token: 'a', expires_at: '2020-01-01T00:00:00Z' })
    expect(body).toMatchObject({ expires_in: 0, expires_at: '2020-01-01T00:00:00.000Z' })
  })

  test('is unknown after a new access token without one', async () => {
    await vault.save({ ...ann, access_token: 'a', expires_at: LATER })
    const { body } = await vault.save({ ...ann, access_token: 'b' })
    expect([body.expires_at, body.expires_in]).toEqual([undefined, undefined])
  })
})

test('a stale access token is ignored, the rest takes effect, and an event records it', async () => {
  await vault.save({ ...ann, access_token: 'a', expires_at: LATER })
  const { status, body } = await vault.save({ ...ann, access_token: 'old', expires_in: 60, scope: 'new' })
  expect([status, body.access_token, body.expires_at, body.scope]).toEqual([200, 'a', LATER, 'new'])
  expect(await eventsOf(body.id)).toContainEqual({ type: 'save.stale', facts: { ignored: ['access_token'] } })
})

test('a refresh token that was replaced is ignored, and still finds its token', async () => {
  const { body: first } = await vault.save({ ...ann, refresh_token: 'r1' })
  await vault.save({ ...ann, refresh_token: 'r2' })
  const { status, body } = await vault.save({ refresh_token: 'r1', scope: 'new' })
  expect([status, body.id, body.refresh_token, body.scope]).toEqual([200, first.id, 'r2', 'new'])
  expect((await vault.find({ refresh_token: 'r1' })).body).toMatchObject({
    id: first.id,
    refresh_token: 'r2',
  })
  expect(await count()).toBe(1)
})

test('a new refresh token brings a dead token back to life', async () => {
  const { body: first } = await vault.save({ ...ann, refresh_token: 'r1', access_token: 'a' })
  await database.query(
    `update tokens set status = 'reauth_required', error_code = 'reauth_required', error_detail = 'refused',
     error_at = now(), error_attempts = 1, refresh_due_at = null where id = $1`,
    [first.id],
  )
  expect((await vault.save({ ...ann, refresh_token: 'r1', scope: 'x' })).body.status).toBe('reauth_required')
  const { body } = await vault.save({ ...ann, refresh_token: 'r2' })
  expect([body.status, body.last_error]).toEqual(['active', undefined])
  expect(body.refresh_due_at).toBeDefined()
})

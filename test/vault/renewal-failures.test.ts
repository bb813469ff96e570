import { describe, expect, test } from 'vitest'
import type { Trouble } from '../support/fake-zoho.ts'
import { useWorld } from '../support/renewal-world.ts'
import type { Answer } from '../support/vault.ts'

const NOBODY = { token_url: 'http://127.0.0.1:1/token', limit: { count: 10, window: 600 } }
const world = useWorld({ zoho: { timeout: 1 }, acme: NOBODY })
const call = (method: string, path: string, body?: unknown) => world.vault.call(method, path, body)

const retryAfter = ({ headers }: Answer) => Number(headers.get('retry-after'))

/** As if the wait after a failure were over. */
const waited = (id: string) => world.age(id, 3600)

describe('a grant that is dead', () => {
  test('costs one request and no more: served while it lives, reauth_required once expired', async () => {
    world.zoho.make('invalid_code')
    const { id, access_token } = await world.save(3600)
    await world.leave(id, 50)
    expect((await world.accessToken(id)).body.access_token).toBe(access_token)
    const token = await world.read(id)
    expect(token).toMatchObject({
      status: 'reauth_required',
      last_error: { code: 'reauth_required', attempts: 1 },
    })
    expect(token).not.toHaveProperty('refresh_due_at')
    await waited(id)
    expect((await world.accessToken(id)).status).toBe(200)
    await world.expire(id)
    for (const ask of [world.accessToken(id), world.refresh(id), call('GET', `/v1/tokens/${id}?min_ttl=1`)]) {
      expect(await ask).toMatchObject({ status: 409, body: { code: 'reauth_required' } })
    }
    expect((await call('GET', `/v1/tokens/${id}`)).status).toBe(200)
    expect(world.requests).toBe(1)
  })

  test('comes back to life with a save of a new refresh token', async () => {
    world.zoho.make('invalid_code', 'refresh', 1)
    const { id } = await world.save(0, { user_name: 'ann' })
    expect((await world.refresh(id)).status).toBe(409)
    const saved = await world.vault.save({ id, refresh_token: world.zoho.refreshToken() })
    expect(saved.body).toMatchObject({ status: 'active' })
    expect(saved.body).not.toHaveProperty('last_error')
    expect((await world.accessToken(id)).status).toBe(200)
  })
})

describe('a client that the provider refuses', () => {
  test.each(['invalid_client', 'invalid_client_secret', 'invalid_redirect_uri'] as const)(
    '%s is a 502, and the token is failing',
    async (trouble) => {
      world.zoho.make(trouble)
      const { id } = await world.save(0)
      expect(await world.refresh(id)).toMatchObject({ status: 502, body: { code: 'client_refused' } })
      expect(await world.read(id)).toMatchObject({
        status: 'failing',
        last_error: { code: 'client_refused' },
      })
      expect(await world.accessToken(id)).toMatchObject({ status: 502, body: { code: 'client_refused' } })
      expect(world.requests).toBe(1)
    },
  )

  test('is tried again by force, and at once with another secret, which heals it', async () => {
    const { id } = await world.save(0, { client_secret: 'wrong' })
    expect((await world.accessToken(id)).status).toBe(502)
    expect((await world.refresh(id)).status).toBe(502)
    expect(world.requests).toBe(2)
    await world.vault.save({ id, client_secret: world.zoho.client.secret })
    expect((await world.accessToken(id)).status).toBe(200)
    expect(await world.read(id)).toMatchObject({ status: 'active' })
  })
})

describe('a provider that throttles', () => {
  test.each(['throttled', 'throttled_400', { status: 429, body: '' }] satisfies Trouble[])(
    'is left alone for its window, by force too: %o',
    async (trouble) => {
      world.zoho.make(trouble)
      const { id } = await world.save(0)
      for (const isForced of [false, true, false]) {
        const answer = await (isForced ? world.refresh(id) : world.accessToken(id))
        expect(answer).toMatchObject({ status: 503, body: { code: 'provider_throttled' } })
        expect(retryAfter(answer)).toBeGreaterThan(500)
      }
      expect(world.requests).toBe(1)
      await world.leave(id, 30)
      expect((await world.accessToken(id)).status).toBe(200)
      world.zoho.recover()
      await waited(id)
      expect((await world.refresh(id)).status).toBe(200)
    },
  )
})

test('a provider that is unavailable is left alone for as long as it asks, by force too', async () => {
  world.zoho.make({ status: 503, body: '', retryAfter: '120' })
  const { id } = await world.save(0)
  for (const isForced of [true, true, false]) {
    const answer = await (isForced ? world.refresh(id) : world.accessToken(id))
    expect(answer).toMatchObject({ status: 503, body: { code: 'provider_unavailable' } })
    expect(retryAfter(answer)).toBeGreaterThan(60)
  }
  expect(world.requests).toBe(1)
  const { body } = await world.vault.save({ id, access_token: 'another', expires_in: 15 })
  expect(Date.parse(body.refresh_due_at ?? '')).toBeGreaterThan(Date.now() + 60_000)
  world.zoho.recover()
  await waited(id)
  expect((await world.refresh(id)).status).toBe(200)
})

describe('trouble that passes', () => {
  const TROUBLES: [string, Trouble, number, string][] = [
    ['a 500', 'server_error', 503, 'provider_unavailable'],
    ['a 503 without a body', { status: 503, body: '' }, 503, 'provider_unavailable'],
    ['a connection that is cut', 'reset', 503, 'provider_unavailable'],
    ['a time-out', 'hang', 503, 'provider_unavailable'],
    ['a page in HTML', 'not_json', 502, 'provider_error'],
    ['an answer without an access token', 'no_access_token', 502, 'provider_error'],
    ['a redirect', { status: 302, body: '' }, 502, 'provider_error'],
  ]

  test.each(TROUBLES)(
    '%s is told once the token has expired, and healed by the next try',
    async (...given) => {
      const [, trouble, status, code] = given
      world.zoho.make(trouble)
      const { id } = await world.save(0)
      const answer = await world.refresh(id)
      expect(answer).toMatchObject({ status, body: { code } })
      if (status === 503) expect(retryAfter(answer)).toBeGreaterThanOrEqual(1)
      expect(await world.read(id)).toMatchObject({ status: 'failing', last_error: { code, attempts: 1 } })
      world.zoho.recover()
      await waited(id)
      expect((await world.accessToken(id)).status).toBe(200)
      const healed = await world.read(id)
      expect(healed.status).toBe('active')
      expect(healed).not.toHaveProperty('last_error')
    },
  )

  test.each(TROUBLES)(
    '%s takes no living token away: reads go on, only a forced one reports it',
    async (...given) => {
      const [, trouble, status] = given
      world.zoho.make(trouble)
      const { id, access_token } = await world.save(3600)
      await world.leave(id, 50)
      for (const ask of [world.accessToken(id), call('POST', '/v1/tokens/find', { id, min_ttl: 60 })]) {
        expect(await ask).toMatchObject({ status: 200, body: { access_token } })
      }
      expect((await world.refresh(id)).status).toBe(status)
      expect(await world.read(id)).toMatchObject({
        access_token,
        refresh_token: expect.any(String) as string,
      })
    },
  )

  test('at a port where nobody listens costs nothing of the limit', async () => {
    const { id } = await world.save(0, { provider: 'acme' })
    for (let count = 0; count < 12; count += 1) {
      expect(await world.refresh(id)).toMatchObject({ status: 503, body: { code: 'provider_unavailable' } })
    }
    const spent = await world.database.query('select cardinality(renewals) as spent from tokens')
    expect(spent).toEqual([{ spent: 0 }])
  })

  test('that has spent the limit says when the provider allows the next try', async () => {
    world.zoho.make('server_error')
    const { id } = await world.save(0)
    for (let count = 0; count < 10; count += 1) await world.refresh(id)
    for (const answer of [await world.refresh(id), await world.accessToken(id)]) {
      expect(answer.status).toBe(503)
      expect(retryAfter(answer)).toBeGreaterThan(500)
    }
    expect(world.requests).toBe(10)
  })
})

describe('a token that cannot be renewed', () => {
  test.each([
    ['without a refresh token', { refresh_token: null }, 'refresh_token'],
    ['without a client', { client_id: null, client_secret: null }, 'client_id'],
    ['of an unknown provider', { provider: 'unheard-of', api_domain: null }, 'unheard-of'],
  ])('%s is served while it lives, and not_refreshable once expired', async (_what, fields, hint) => {
    const { id } = await world.save(3600, fields)
    await world.leave(id, 50)
    expect((await world.accessToken(id)).status).toBe(200)
    await world.expire(id)
    for (const ask of [world.accessToken(id), world.refresh(id)]) {
      const { status, body } = await ask
      expect([status, body.code]).toEqual([409, 'not_refreshable'])
      expect(body.detail).toContain(hint)
    }
    expect(world.requests).toBe(0)
  })

  test('because its data centre was only assumed is failing, never dead', async () => {
    world.zoho.make('invalid_code')
    const { id } = await world.save(0, { api_domain: null })
    expect(await world.refresh(id)).toMatchObject({ status: 502, body: { code: 'provider_error' } })
    const token = await world.read(id)
    expect(token).toMatchObject({ status: 'failing', last_error: { code: 'data_centre_unknown' } })
    expect(token.refresh_due_at).toBeDefined()
    world.zoho.recover()
    await world.vault.save({ id, api_domain: world.zoho.url })
    expect((await world.accessToken(id)).status).toBe(200)
    expect(await world.read(id)).toMatchObject({ status: 'active' })
  })
})

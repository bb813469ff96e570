import { describe, expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ acme: { rotates: 'always' } })
const call = (method: string, path: string, body?: unknown) => world.vault.call(method, path, body)
const secondsOf = (text = '') => Date.parse(text) / 1000

describe('a token with at least so much life is had', () => {
  test.each([
    ['find', (id: string) => call('POST', '/v1/tokens/find', { id, min_ttl: 60 })],
    ['get', (id: string) => call('GET', `/v1/tokens/${id}?min_ttl=60`)],
    ['access-token by id', (id: string) => call('GET', `/v1/tokens/${id}/access-token?min_ttl=60`)],
    [
      'access-token by a partial token',
      (id: string) => call('POST', '/v1/access-token', { id, min_ttl: 60 }),
    ],
  ])('by %s: renewed once where it must be, and not where it need not', async (_route, ask) => {
    const { id, access_token } = await world.save(3600)
    await world.leave(id, 59)
    const first = await ask(id)
    expect(first.status).toBe(200)
    expect(first.body.access_token).not.toBe(access_token)
    expect(first.body.expires_in).toBeGreaterThan(3500)
    expect((await ask(id)).body.access_token).toBe(first.body.access_token)
    expect(world.requests).toBe(1)
  })

  test('without asking for it: a find and a get answer what is stored', async () => {
    const { id, access_token } = await world.save(0)
    expect((await call('POST', '/v1/tokens/find', { id })).body.access_token).toBe(access_token)
    expect((await call('GET', `/v1/tokens/${id}`)).body).toMatchObject({ access_token, expires_in: 0 })
    expect(world.requests).toBe(0)
  })

  test('by access-token with 60 s where nothing else is asked for', async () => {
    const short = await world.save(3600)
    await world.leave(short.id, 59)
    expect((await world.accessToken(short.id)).body.access_token).not.toBe(short.access_token)
    const { id, access_token } = await world.save(3600)
    await world.leave(id, 65)
    expect((await world.accessToken(id)).body.access_token).toBe(access_token)
    expect(world.requests).toBe(1)
  })

  test('where more than four fifths of its own life is asked for, with four fifths', async () => {
    const { id, access_token } = await world.save(100)
    const enough = await call('GET', `/v1/tokens/${id}?min_ttl=5000`)
    expect(enough.body.access_token).toBe(access_token)
    await world.database.query(`update tokens set expires_at = now() + interval '79 seconds'`)
    const renewed = await call('GET', `/v1/tokens/${id}?min_ttl=5000`)
    expect(renewed.body.access_token).not.toBe(access_token)
    expect(world.requests).toBe(1)
  })

  test('of unknown expiry: served until it falls due by the usual life, then renewed', async () => {
    const { id, access_token } = await world.save(0, { expires_in: null })
    const unknown = await world.accessToken(id)
    expect(unknown.body).toMatchObject({ access_token })
    expect(unknown.body).not.toHaveProperty('expires_at')
    await world.age(id, 3600)
    expect((await world.accessToken(id)).body.access_token).not.toBe(access_token)
    expect(world.requests).toBe(1)
  })

  test('where only a refresh token was saved', async () => {
    const { id } = await world.save(0, { access_token: null, expires_in: null })
    expect((await world.accessToken(id)).status).toBe(200)
    expect(world.requests).toBe(1)
  })
})

describe('a renewal', () => {
  test('counts the expiry from the claim, however late the answer comes', async () => {
    world.zoho.make({ delayMs: 1200 })
    const { id } = await world.save(0)
    const { body } = await world.refresh(id)
    expect(secondsOf(body.expires_at) - secondsOf(body.refreshed_at)).toBeCloseTo(3600, 2)
    const [request] = world.zoho.calls
    expect(secondsOf(body.refreshed_at)).toBeLessThanOrEqual((request?.atMs ?? 0) / 1000)
  })

  test('is one change: the version counts one up, and the token is active', async () => {
    const { id } = await world.save(0)
    expect((await world.refresh(id)).body).toMatchObject({ version: 2, status: 'active', id })
    expect(await world.read(id)).not.toHaveProperty('last_error')
  })

  test('keeps a refresh token that does not rotate, and stores one that does before it tells', async () => {
    const steady = await world.save(0)
    expect((await world.refresh(steady.id)).body.refresh_token).toBe(steady.refresh_token)
    world.zoho.grants.policy.rotates = true
    const rotating = await world.save(0, { provider: 'acme' })
    const { body } = await world.refresh(rotating.id)
    expect(body.refresh_token).not.toBe(rotating.refresh_token)
    expect((await world.read(rotating.id)).refresh_token).toBe(body.refresh_token)
    for (const refresh_token of [rotating.refresh_token, body.refresh_token]) {
      expect((await call('POST', '/v1/tokens/find', { refresh_token })).body.id).toBe(rotating.id)
    }
  })

  test('of a rotating token goes on from the newest refresh token, time after time', async () => {
    world.zoho.grants.policy.rotates = true
    const { id } = await world.save(0, { provider: 'acme' })
    for (let round = 0; round < 5; round += 1) {
      await world.expire(id)
      expect((await world.accessToken(id)).status).toBe(200)
    }
    const presented = world.zoho.calls.map(({ token }) => token)
    expect(new Set(presented).size).toBe(5)
  })

  test('is made when it is forced, though there is life enough', async () => {
    const { id, access_token } = await world.save(3000)
    const { status, body } = await world.refresh(id)
    expect([status, body.access_token === access_token]).toEqual([200, false])
  })

  test('that is forced happens only to the version that If-Match names, and sends nothing otherwise', async () => {
    const { id } = await world.save(3600)
    const refresh = (tag: string) =>
      world.vault.call('POST', `/v1/tokens/${id}/refresh`, undefined, { 'if-match': tag })
    expect(await refresh('"2"')).toMatchObject({ status: 412, body: { code: 'version_mismatch' } })
    expect((await refresh('2')).body.errors?.[0]?.pointer).toBe('/if-match')
    expect(world.requests).toBe(0)
    expect(await refresh('"1"')).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await refresh('"1"')).status).toBe(412)
    expect(world.requests).toBe(1)
  })

  test('that is forced sooner than the interval gets the current token', async () => {
    const { id } = await world.save(0)
    const [first, second] = [await world.refresh(id), await world.refresh(id)]
    expect(second).toMatchObject({ status: 200, body: { access_token: first.body.access_token } })
    await world.age(id, 61)
    expect((await world.refresh(id)).body.access_token).not.toBe(first.body.access_token)
    expect(world.requests).toBe(2)
  })

  test('reads an expiry in seconds beside one in milliseconds, and none at all', async () => {
    world.zoho.make('expires_in_sec', 'refresh', 1)
    world.zoho.make('no_expires_in', 'refresh', 1)
    const odd = (await world.refresh((await world.save(0)).id)).body
    expect(secondsOf(odd.expires_at) - secondsOf(odd.refreshed_at)).toBeCloseTo(3600, 2)
    const silent = await world.refresh((await world.save(0)).id)
    expect(silent.status).toBe(200)
    expect(silent.body).not.toHaveProperty('expires_at')
    expect(silent.body).toHaveProperty('refresh_due_at')
  })
})

describe("the provider's limit of 10 in 10 minutes", () => {
  test('is kept, forced or not: then throttled once expired, and served while it lives', async () => {
    const { id } = await world.save(0)
    for (let count = 0; count < 10; count += 1) {
      await world.expire(id)
      expect((await (count % 2 === 0 ? world.refresh(id) : world.accessToken(id))).status).toBe(200)
    }
    expect((await world.accessToken(id)).status).toBe(200)
    expect((await world.refresh(id)).status).toBe(200)
    await world.database.query(`update tokens set refreshed_at = now() - interval '2 minutes'`)
    const forced = await world.refresh(id)
    expect(forced).toMatchObject({ status: 503, body: { code: 'provider_throttled' } })
    const living = await call('GET', `/v1/tokens/${id}?min_ttl=3590`)
    expect(living.status).toBe(200)
    await world.expire(id)
    const expired = await world.accessToken(id)
    expect(expired).toMatchObject({ status: 503, body: { code: 'provider_throttled' } })
    for (const { headers } of [forced, expired]) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(500)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(610)
    }
    expect(world.requests).toBe(10)
    await world.age(id, 611)
    expect((await world.accessToken(id)).status).toBe(200)
    expect(world.requests).toBe(11)
  })
})

describe('during a renewal', () => {
  const whileRenewing = async (id: string, act: () => Promise<unknown>) => {
    world.zoho.make({ delayMs: 400 }, 'refresh', 1)
    const answer = world.accessToken(id)
    await expect.poll(() => world.requests).toBe(1)
    await act()
    return answer
  }

  test('a save with a new refresh token wins: the late answer is dropped', async () => {
    const { id } = await world.save(0, { user_name: 'ann' })
    const fresh = { refresh_token: world.zoho.refreshToken(), access_token: 'new-login', expires_in: 3600 }
    const answer = await whileRenewing(id, () => world.vault.save({ id, ...fresh }))
    expect(answer.body.access_token).toBe('new-login')
    expect(await world.read(id)).toMatchObject({ ...fresh, expires_in: expect.any(Number) as number })
    const events = await world.database.query('select type from events where token_id = $1 order by at', [id])
    expect(events.at(-1)).toEqual({ type: 'renewal.dropped' })
  })

  test('a delete wins: nothing comes back', async () => {
    const { id } = await world.save(0)
    const answer = await whileRenewing(id, () => call('DELETE', `/v1/tokens/${id}`))
    expect(answer.status).toBe(404)
    expect((await call('GET', `/v1/tokens/${id}`)).status).toBe(404)
  })

  test('reads of what is stored go on', async () => {
    const { id, access_token } = await world.save(0)
    const answer = await whileRenewing(id, async () => {
      expect((await world.read(id)).access_token).toBe(access_token)
    })
    expect(answer.body.access_token).not.toBe(access_token)
  })
})

test('the use of a token is noted at most hourly, and changes neither version nor updated_at', async () => {
  const { id, version, updated_at } = await world.save(3000)
  const other = await world.save(3000)
  await world.accessToken(id)
  await expect.poll(async () => (await world.read(id)).last_used_at).toBeDefined()
  const first = await world.read(id)
  expect(first).toMatchObject({ version, updated_at })
  await world.accessToken(id)
  // Uses are noted together: once the other one's is, this one's would be, too.
  await expect.poll(async () => (await world.read(other.id)).last_used_at).toBeDefined()
  expect((await world.read(id)).last_used_at).toBe(first.last_used_at)
  await world.database.query(`update tokens set last_used_at = last_used_at - interval '61 minutes'`)
  await world.accessToken(id)
  await expect
    .poll(async () => secondsOf((await world.read(id)).last_used_at))
    .toBeGreaterThan(Date.now() / 1000 - 60)
  expect(await world.read(id)).toMatchObject({ version, updated_at })
})

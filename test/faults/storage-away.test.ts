import { afterEach, describe, expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'
import type { Answer } from '../support/vault.ts'

const world = useWorld({ refresher: 'on', acme: { rotates: 'always' } })
const call = (method: string, path: string, body?: unknown) => world.vault.call(method, path, body)
const soon = { timeout: 20_000 }

afterEach(() => world.proxy.restore())

/** Everything that needs the database. */
const everyRoute = (id: string): Promise<Answer>[] => [
  call('POST', '/v1/tokens/find', { id }),
  call('POST', '/v1/tokens/find', { id, min_ttl: 60 }),
  call('GET', `/v1/tokens/${id}`),
  call('POST', '/v1/tokens', { user_name: 'ann', access_token: 'access' }),
  call('DELETE', `/v1/tokens/${id}`),
  call('GET', '/v1/tokens'),
  call('DELETE', '/v1/tokens?all=true'),
  call('GET', `/v1/tokens/${id}/access-token`),
  call('POST', '/v1/access-token', { id }),
  call('POST', `/v1/tokens/${id}/refresh`),
]

/** Due and expired: whoever reaches the database renews it at once. */
const makeDue = () => world.database.query('update tokens set refresh_due_at = now(), expires_at = now()')

describe.each([
  ['refuses', () => world.proxy.refuse()],
  [
    'is silent',
    () => {
      world.proxy.stall()
      return Promise.resolve()
    },
  ],
])('while the database %s', (_how, lose) => {
  test('every route is a 503 with Retry-After, no provider is asked, and all is well by itself afterwards', async () => {
    const { id } = await world.save(3600)
    await lose()
    await makeDue()
    const answers = await Promise.all(everyRoute(id))
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'storage_unavailable' } })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    const ready = async () => (await call('GET', '/readyz')).body.code
    await expect.poll(ready, soon).toBe('storage_unavailable')
    expect(await call('GET', '/healthz')).toMatchObject({ status: 200 })
    expect(await call('GET', '/openapi.json')).toMatchObject({ status: 200 })
    expect(world.requests).toBe(0)
    await world.proxy.restore()
    await expect.poll(async () => (await call('GET', '/readyz')).status, soon).toBe(200)
    await expect.poll(async () => (await world.read(id)).status, soon).toBe('active')
    await expect.poll(() => world.requests, soon).toBe(1)
  })
})

test('connections that are cut are made anew, and the cut is not told to who comes after it', async () => {
  const { id } = await world.save(3600)
  await Promise.all(Array.from({ length: 30 }, () => call('GET', `/v1/tokens/${id}`)))
  for (let round = 0; round < 5; round += 1) {
    world.proxy.cut()
    await expect.poll(async () => (await call('GET', `/v1/tokens/${id}`)).status, soon).toBe(200)
  }
})

describe('a rotated refresh token whose way to the database is lost', () => {
  const isWaiting = () => world.vault.log().includes('a renewal waits for the storage')
  const settleMeetsNothing = async (id: string) => {
    const told = { yet: false }
    const answer = world.accessToken(id).finally(() => (told.yet = true))
    await expect.poll(() => world.requests, soon).toBe(1)
    await world.proxy.refuse()
    await expect.poll(isWaiting, soon).toBe(true)
    return { answer, told }
  }

  test('is told to nobody before it is stored, and is stored when the way is back', async () => {
    world.zoho.grants.policy.rotates = true
    world.zoho.make({ delayMs: 300 }, 'refresh', 1)
    const saved = await world.save(3600, { provider: 'acme' })
    await world.leave(saved.id, 0)
    const { answer, told } = await settleMeetsNothing(saved.id)
    expect(told.yet).toBe(false)
    expect(await world.database.query('select version from tokens')).toEqual([{ version: 1 }])
    await world.proxy.restore()
    expect((await answer).status).toBe(200)
    const renewed = await world.read(saved.id)
    expect(renewed).toMatchObject({ access_token: (await answer).body.access_token, status: 'active' })
    expect(renewed.refresh_token).not.toBe(saved.refresh_token)
    await world.expire(saved.id)
    expect((await world.accessToken(saved.id)).status).toBe(200)
    expect(new Set(world.zoho.calls.map(({ token }) => token)).size).toBe(2)
  })

  test('is counted, as is what the refresher cannot look for, while the database is away', async () => {
    world.zoho.grants.policy.rotates = true
    world.zoho.make({ delayMs: 300 }, 'refresh', 1)
    const { id } = await world.save(3600, { provider: 'acme' })
    await world.leave(id, 0)
    const { answer } = await settleMeetsNothing(id)
    const counted = async (name: string) =>
      Number(
        new RegExp(`^token_vault_${name}_total (\\d+)$`, 'm').exec((await call('GET', '/metrics')).text)?.[1],
      )
    await expect.poll(() => counted('renewal_store_failures'), soon).toBeGreaterThan(0)
    await expect.poll(() => counted('refresher_failures'), soon).toBeGreaterThan(0)
    await world.proxy.restore()
    expect((await answer).status).toBe(200)
  })

  test('is stored, and not renewed anew in its place, when the lease has run out meanwhile', async () => {
    for (let round = 0; round < 4; round += 1) {
      await world.reset()
      world.zoho.grants.policy.rotates = true
      world.zoho.make({ delayMs: 300 }, 'refresh', 1)
      const { id } = await world.save(3600, { provider: 'acme' })
      await world.leave(id, 0)
      const { answer } = await settleMeetsNothing(id)
      await world.database.query(`update tokens set lease_until = now() - interval '1 second'`)
      await makeDue()
      await world.proxy.restore()
      expect((await answer).status).toBe(200)
      expect(await world.read(id)).toMatchObject({ status: 'active', version: 2 })
      expect(world.requests).toBe(1)
    }
  })
})

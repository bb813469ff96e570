import { afterAll, describe, expect, test } from 'vitest'
import type { RenewalWorld } from '../support/renewal-world.ts'
import { useWorld } from '../support/renewal-world.ts'
import { EchoProvider } from '../support/echo-provider.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import type { TestVault } from '../support/vault.ts'

let issued = 0
const provider = await EchoProvider.start(() => {
  issued += 1
  return { status: 200, body: JSON.stringify({ access_token: `issued-${issued}`, expires_in: 3600 }) }
})
const way = await TcpProxy.start(provider.url)
await way.refuse()
afterAll(() => provider.close())

/** The second of two replicas has no way to the provider. */
const acmeOf = (replica: number) => ({ token_url: replica === 0 ? provider.url : `${way.url}token` })
/** So many in a row open the breaker. */
const FAILURES = 10
const TOKENS = 60

const save = (world: RenewalWorld, left: number) => world.save(left, { provider: 'acme', api_domain: null })

/** Callers of the replica that does not reach the provider have it try in vain, until it leaves the provider alone. */
async function cutOff(world: RenewalWorld): Promise<TestVault> {
  const [, unreaching] = world.vaults
  if (unreaching === undefined) throw new Error('there is one replica only')
  const ids = await Promise.all(Array.from({ length: FAILURES }, async () => (await save(world, 3600)).id))
  for (const id of ids) expect((await world.refresh(id, unreaching)).status).toBe(503)
  return unreaching
}

describe('a replica that does not reach a provider which another one reaches', () => {
  const world = useWorld({ replicas: 2, refresher: 'on', acmeOf })

  test('takes no due token from it', async () => {
    await cutOff(world)
    const ids = await Promise.all(Array.from({ length: TOKENS }, async () => (await save(world, 3600)).id))
    await world.database.query('update tokens set refresh_due_at = now() where id = any($1)', [ids])
    const due = () =>
      world.database.query('select id from tokens where refresh_due_at <= now() and id = any($1)', [ids])
    await expect.poll(due, { timeout: 20_000 }).toEqual([])
    const failures = await world.database.query<{ error: string }>(
      `select facts ->> 'error' as error from events where type = 'renewal.failed' and token_id = any($1)`,
      [ids],
    )
    expect(failures.map(({ error }) => error)).not.toContain('breaker_open')
  })
})

describe('a caller of such a replica', () => {
  const world = useWorld({ replicas: 2, acmeOf })

  test('is told to come again, or gets the living token, and another replica renews it', async () => {
    const { id } = await save(world, 3600)
    await world.leave(id, 60)
    const before = await world.read(id)
    const unreaching = await cutOff(world)
    const living = await unreaching.call('GET', `/v1/tokens/${id}/access-token?min_ttl=600`)
    expect([living.status, living.body.access_token]).toEqual([200, before.access_token])
    await world.expire(id)
    const expired = await world.accessToken(id, unreaching)
    expect([expired.status, expired.body.code]).toEqual([503, 'provider_unavailable'])
    expect(Number(expired.headers.get('retry-after'))).toBeGreaterThan(0)
    const { status, refresh_due_at } = before
    expect(await world.read(id)).toMatchObject({ status, refresh_due_at })
    expect((await world.accessToken(id)).status).toBe(200)
  })

  test('has a token tried for that nobody else would look for, which is due from then on', async () => {
    const unreaching = await cutOff(world)
    const none = { access_token: undefined, expires_in: undefined }
    const { id, refresh_due_at } = await world.save(0, { provider: 'acme', api_domain: null, ...none })
    expect(refresh_due_at).toBeUndefined()
    expect((await world.accessToken(id, unreaching)).status).toBe(503)
    expect((await world.read(id)).refresh_due_at).toBeDefined()
  })
})

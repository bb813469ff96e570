import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ zoho: { timeout: 60 } })

/** Longer than a caller waits for a renewal. */
const SLOW = { delayMs: 16_500 }

test('a caller waits 15 s at most, while the renewal goes on and is kept', async () => {
  world.zoho.make(SLOW)
  const [expired, living] = [await world.save(0), await world.save(3600)]
  await world.leave(living.id, 50)
  const [impatient, forced, lucky] = await Promise.all([
    world.accessToken(expired.id),
    world.refresh(expired.id),
    world.accessToken(living.id),
  ])
  // The stand-in has not answered yet: nothing but the end of the patience can have answered them.
  expect(await world.read(expired.id)).toMatchObject({ version: 1, access_token: expired.access_token })
  for (const { status, body, headers } of [impatient, forced]) {
    expect([status, body.code]).toEqual([503, 'provider_unavailable'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  expect(lucky).toMatchObject({ status: 200, body: { access_token: living.access_token } })
  await expect.poll(async () => (await world.read(expired.id)).version, { timeout: 10_000 }).toBe(2)
  expect((await world.accessToken(expired.id)).status).toBe(200)
  expect(world.requests).toBe(2)
})

test('a caller who has waited in vain is not told of the failure before', async () => {
  world.zoho.make({ status: 401, body: '{"error":"invalid_client"}' }, 'refresh', 1)
  const { id } = await world.save(0)
  expect((await world.accessToken(id)).body.code).toBe('client_refused')
  await world.database.query('delete from clients')
  await world.age(id, 3600)
  world.zoho.make(SLOW)
  const { status, body } = await world.accessToken(id)
  expect(await world.read(id)).toMatchObject({ last_error: { code: 'client_refused' } })
  expect([status, body.code]).toEqual([503, 'provider_unavailable'])
  expect(body.detail).toBe('The provider has not answered in time. Try again.')
})

test('an exchange that takes longer is answered 503, goes on, and the audit log names its token', async () => {
  world.zoho.make(SLOW, 'exchange')
  const code = {
    provider: 'zoho',
    client_id: world.zoho.client.id,
    client_secret: world.zoho.client.secret,
    grant_token: world.zoho.grant(),
    api_domain: world.zoho.url,
  }
  const exchange = () => world.vault.call('POST', '/v1/tokens/exchange', code)
  const late = await exchange()
  expect([late.status, late.body.code]).toEqual([503, 'provider_unavailable'])
  const lines = () => world.vault.audit().filter(({ action }) => action === 'token.exchanged')
  await expect.poll(() => lines().map(({ outcome }) => outcome), { timeout: 10_000 }).toContain('ok')
  const again = await exchange()
  expect(again.status).toBe(200)
  expect(lines()[1]).toMatchObject({ actor: 'bootstrap', token_id: again.body.id, outcome: 'ok' })
})

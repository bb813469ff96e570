import { afterEach, expect, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import { useWorld } from '../support/renewal-world.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'
import type { VaultSettings } from '../support/vault-process.ts'

const world = useWorld()
const soon = { timeout: 20_000 }

afterEach(() => world.proxy.restore())

const codeOf = (zoho: FakeZoho) => ({
  client_id: zoho.client.id,
  client_secret: zoho.client.secret,
  grant_token: zoho.grant(),
  user_name: 'ann',
  api_domain: zoho.url,
})

test('an answer whose way to the database is lost is told to nobody before it is stored, and stored when it is back', async () => {
  world.zoho.make({ delayMs: 300 }, 'exchange', 1)
  const code = codeOf(world.zoho)
  let told = false
  const answer = world.vault.call('POST', '/v1/tokens/exchange', code).finally(() => (told = true))
  await expect.poll(() => world.zoho.count('exchange'), soon).toBe(1)
  await world.proxy.refuse()
  await expect.poll(() => world.vault.log().includes('an exchange waits for the storage'), soon).toBe(true)
  expect(told).toBe(false)
  await world.proxy.restore()
  const { status, body } = await answer
  expect(status).toBe(201)
  expect(await world.read(body.id ?? '')).toMatchObject({
    refresh_token: body.refresh_token,
    user_name: 'ann',
  })
  expect(world.zoho.grants.isLive(body.refresh_token ?? '')).toBe(true)
  expect(world.zoho.count('exchange')).toBe(1)
})

test('while the database is away no code is sent, and no token revoked', async () => {
  const { id } = await world.save(3600)
  await world.proxy.refuse()
  const answers = await Promise.all([
    world.vault.call('POST', '/v1/tokens/exchange', codeOf(world.zoho)),
    world.vault.call('POST', `/v1/tokens/${id}/revoke`),
  ])
  for (const answer of answers)
    expect(answer).toMatchObject({ status: 503, body: { code: 'storage_unavailable' } })
  expect(world.zoho.calls).toEqual([])
})

async function exchange({ url, apiKey }: VaultSettings, code: object) {
  const response = await fetch(`${url}/v1/tokens/exchange`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(code),
  })
  return { status: response.status, body: (await response.json()) as { code?: string; detail?: string } }
}

test('a code in flight at a kill is sent once more after the lease, a refusal then says that the outcome was lost, and a stop waits for one in flight', async () => {
  const database = await createTestDatabase()
  const zoho = await FakeZoho.start()
  const dataCentre = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const settings = await vaultSettings(database.url, [
    { name: 'zoho', default_data_centre: 'stand-in', data_centres: [dataCentre], timeout: 1 },
  ])
  let vault = await startVaultProcess(settings)
  try {
    const code = codeOf(zoho)
    zoho.make('unheard', 'exchange', 1)
    const cutOff = exchange(settings, code).catch(() => 'cut off')
    await expect.poll(() => zoho.count('exchange'), soon).toBe(1)
    await vault.kill()
    expect(await cutOff).toBe('cut off')
    vault = await startVaultProcess(settings)
    // Waits until the lease of 7 s has run out.
    const { status, body } = await exchange(settings, code)
    expect([status, body.code]).toEqual([422, 'grant_refused'])
    expect(body.detail).toContain('its outcome was lost')
    expect(zoho.count('exchange')).toBe(2)

    zoho.make({ delayMs: 700 }, 'exchange', 1)
    const inFlight = exchange(settings, codeOf(zoho))
    await expect.poll(() => zoho.count('exchange'), soon).toBe(3)
    expect(await vault.stop()).toBe(0)
    expect((await inFlight).status).toBe(201)
    expect(await database.query('select user_name from tokens')).toEqual([{ user_name: 'ann' }])
  } finally {
    await vault.kill()
    await zoho.close()
    await settings.drop()
    await database.drop()
  }
}, 180_000)

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'

let database: TestDatabase
let zoho: FakeZoho
let settings: VaultSettings
let vault: VaultProcess

beforeAll(async () => {
  database = await createTestDatabase()
  zoho = await FakeZoho.start({ rotates: true })
  const acme = { name: 'acme', token_url: `${zoho.url}/oauth/v2/token`, rotates: 'always' }
  settings = await vaultSettings(database.url, [acme])
  vault = await startVaultProcess(settings)
})
afterAll(async () => {
  await vault.kill()
  await settings.drop()
  await database.drop()
  await zoho.close()
})

const call = (method: string, path: string, body?: object) =>
  fetch(`${settings.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${settings.apiKey}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })

const save = async (refresh_token: string) => {
  const { id: client_id, secret: client_secret } = zoho.client
  const body = {
    provider: 'acme',
    client_id,
    client_secret,
    refresh_token,
    access_token: `old-${refresh_token}`,
    expires_in: 3600,
  }
  const answer = await call('POST', '/v1/tokens', body)
  return ((await answer.json()) as { id: string }).id
}

test('a signal lets renewals in flight finish, asked for or not; later signals change nothing; the exit code is 0', async () => {
  zoho.make({ delayMs: 2000 })
  const [asked, due] = [await save(zoho.refreshToken()), await save(zoho.refreshToken())]
  const answer = call('POST', `/v1/tokens/${asked}/refresh`)
  await database.query('update tokens set refresh_due_at = now() where id = $1', [due])
  await expect.poll(() => zoho.count('refresh'), { timeout: 10_000 }).toBe(2)
  process.kill(vault.pid, 'SIGTERM')
  await expect.poll(() => vault.output()).toContain('stopping')
  process.kill(vault.pid, 'SIGINT')
  process.kill(vault.pid, 'SIGTERM')
  expect(await vault.stop()).toBe(0)
  expect((await answer).status).toBe(200)
  const rows = await database.query('select version, status, lease_until from tokens')
  expect(rows).toEqual([1, 2].map(() => ({ version: 2, status: 'active', lease_until: null })))
  expect(zoho.count('refresh')).toBe(2)
  await expect(call('GET', '/healthz')).rejects.toThrow()
})

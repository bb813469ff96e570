import { expect, onTestFinished, test } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { generateApiKey } from '../../src/domain/api-key.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import { startVault } from '../support/vault.ts'

test('a token that was saved before its provider was known is renewed before it expires by the start that knows it', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const provider = await FakeZoho.start()
  onTestFinished(() => provider.close())
  const env = {
    TOKEN_VAULT_BOOTSTRAP_KEY: generateApiKey('bootstrap'),
    TOKEN_VAULT_MASTER_KEYS: generateMasterKey('k1'),
    TOKEN_VAULT_REFRESHER: 'on',
  }
  const startWith = (providers: object[]) =>
    startVault({ databaseUrl: database.url, env, providers: { providers } })

  const before = await startWith([])
  const { body } = await before.save({
    provider: 'late',
    client_id: provider.client.id,
    client_secret: provider.client.secret,
    refresh_token: provider.refreshToken(),
    access_token: 'saved',
    expires_in: 8,
  })
  const saved = body as Token
  expect(saved.refreshable).toBe(false)
  expect(saved).not.toHaveProperty('refresh_due_at')
  await before.close()

  const after = await startWith([{ name: 'late', token_url: `${provider.url}/oauth/v2/token` }])
  onTestFinished(() => after.close())
  const read = async () => (await after.call('GET', `/v1/tokens/${saved.id}`)).body as Token
  await expect.poll(async () => (await read()).version, { timeout: 15_000 }).toBe(2)
  const renewed = await read()
  expect(renewed.refreshable).toBe(true)
  expect(Date.parse(renewed.refreshed_at ?? '')).toBeLessThan(Date.parse(saved.expires_at ?? ''))
  expect(Date.parse(renewed.refresh_due_at ?? '')).toBeLessThan(Date.parse(renewed.expires_at ?? ''))
})

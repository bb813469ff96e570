import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

let database: TestDatabase
let vault: TestVault

beforeAll(async () => {
  database = await createTestDatabase()
  vault = await startVault({ databaseUrl: database.url })
})

afterAll(async () => {
  await vault.close()
  await database.drop()
})

test('the printed OpenAPI document is the one that the service answers with', async () => {
  const { body } = await vault.call('GET', '/openapi.json')
  await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot('../../openapi.json')
})

test('the page to read and try the API brings everything that it needs', async () => {
  const page = await vault.call('GET', '/docs/')
  expect(page.status).toBe(200)
  expect(page.text).not.toMatch(/(src|href)="https?:/)
  const policy = page.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'self'; ")
  expect(policy).not.toContain('upgrade-insecure-requests')
})

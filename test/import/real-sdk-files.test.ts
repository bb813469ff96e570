import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Columns } from '../../src/import/token-source.ts'
import { openZohoFile } from '../../src/import/zoho-file.ts'
import { ANN, ONEIL, rowsOf, ZOE } from './dialects.ts'

/** What both JavaScript SDKs give. */
interface Sdk {
  FileStore: new (path: string) => { saveToken(token: SdkToken): Promise<void> }
  OAuthBuilder: new () => Record<'clientId' | 'clientSecret' | 'refreshToken', (value?: string) => void> & {
    build(): SdkToken
  }
  UserSignature: new (name: string) => object
}

interface SdkToken {
  setUserSignature(user: object): void
  setAccessToken(value?: string): void
  setGrantToken(value?: string): void
  setExpiresIn(value?: string): void
  setRedirectURL(value?: string): void
  setAPIDomain(value?: string): void
}

const require = createRequire(import.meta.url)
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vault-import-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function tokenOf(sdk: Sdk, row: Columns): SdkToken {
  const builder = new sdk.OAuthBuilder()
  builder.clientId(row.client_id)
  builder.clientSecret(row.client_secret)
  builder.refreshToken(row.refresh_token)
  const token = builder.build()
  token.setUserSignature(new sdk.UserSignature(row.user_name ?? ''))
  token.setAccessToken(row.access_token)
  token.setGrantToken(row.grant_token)
  token.setExpiresIn(row.expiry_time)
  token.setRedirectURL(row.redirect_url)
  token.setAPIDomain(row.api_domain)
  return token
}

test.each([
  ['TypeScript', () => require('@zohocrm/typescript-sdk-8.0') as Sdk],
  ['Node.js', () => require('@zohocrm/nodejs-sdk-8.0') as Sdk],
])('the file of the real %s SDK is read as it was saved', async (language, load) => {
  const sdk = load()
  const path = join(folder, language)
  const store = new sdk.FileStore(path)
  for (const row of [ANN, ONEIL, ZOE]) await store.saveToken(tokenOf(sdk, row))
  const rows = await rowsOf(await openZohoFile(path))
  expect(rows.map(({ columns }) => columns)).toEqual([ANN, ONEIL, ZOE])
})

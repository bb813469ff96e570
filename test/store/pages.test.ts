import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Token } from '../../src/domain/token.ts'
import type { PostgresStorage, Replica } from '../support/token-storage.ts'
import { openStorage } from '../support/token-storage.ts'

let storage: PostgresStorage
let replica: Replica

beforeAll(async () => {
  storage = await openStorage()
  replica = await storage.replica()
})
afterAll(() => storage.close())

const EVERY = { userName: null, clientId: null, provider: null, status: null, expiresBefore: null }
const SECRETS = ['clientSecret', 'refreshToken', 'grantToken', 'accessToken'] as const

async function listed(secrets: boolean): Promise<Token[]> {
  const page = { filter: EVERY, limit: 10, after: null, secrets }
  return (await replica.store.list(storage.namespaceId, page)).tokens
}

test('a page without secrets brings none of them, and knows of each whether the token has it', async () => {
  for (const [id, secret] of Object.entries(SECRETS))
    await replica.save({ id, accessToken: id, [secret]: 's' })
  const [bare, full] = [await listed(false), await listed(true)]
  expect(bare).toEqual(full)
  const held = (token: Token) => SECRETS.map((name) => token[name]).filter((secret) => secret !== null)
  for (const secret of bare.flatMap(held)) expect(() => secret.reveal()).toThrow()
  expect(full.flatMap(held).map((secret) => secret.reveal())).toEqual(['s', '0', 's', '1', 's', '2', 's'])
})

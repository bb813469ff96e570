import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import { Fleet } from '../support/fleet.ts'
import { vaultSettings } from '../support/vault-process.ts'

/** Zoho's 10 in 10 minutes, in less time. */
const LIMIT = { count: 10, window: 10 }
const TOKENS = ['left alone', 'deleted and saved again', 'due all the time']
const CALLERS = 6
const ASK_EVERY_MS = 20
/** The third window has begun. */
const REQUESTS = 2 * LIMIT.count + 5
const soon = { timeout: 90_000 }

let database: TestDatabase
let zoho: FakeZoho
let fleet: Fleet

beforeAll(async () => {
  database = await createTestDatabase()
  zoho = await FakeZoho.start()
  const site = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const entry = { default_data_centre: 'stand-in', data_centres: [site], limit: LIMIT }
  const provider = { name: 'zoho', min_interval: 0, timeout: 2, ...entry }
  fleet = await Fleet.start(await vaultSettings(database.url, [provider], { LOG_LEVEL: 'warn' }), 3)
})
afterAll(async () => {
  await fleet.close()
  await database.drop()
  await zoho.close()
})

/** When the provider saw each request of a refresh token, in its own log. */
const seenMs = (refreshToken: string) =>
  zoho.calls.flatMap(({ kind, token, atMs }) => (kind === 'refresh' && token === refreshToken ? [atMs] : []))

/** How many requests the fullest of all windows holds. */
function mostInAWindow(atMs: number[]): number {
  const windows = atMs.map((from) => atMs.filter((at) => at >= from && at < from + LIMIT.window * 1000))
  return Math.max(...windows.map(({ length }) => length))
}

async function save(id: string, refreshToken: string): Promise<void> {
  const client = { client_id: zoho.client.id, client_secret: zoho.client.secret }
  const tokens = { refresh_token: refreshToken, access_token: `saved-${Math.random()}`, expires_in: 3600 }
  await fleet.call('POST', '/v1/tokens', { id, api_domain: zoho.url, ...client, ...tokens })
}

test('the provider sees no more of a refresh token than it allows, whoever forces renewals, dies, or deletes the token', async () => {
  zoho.make({ delayMs: 200 })
  const saved = new Map(TOKENS.map((_, number) => [`token-${number}`, zoho.refreshToken()]))
  for (const [id, refreshToken] of saved) await save(id, refreshToken)
  const [ids, refreshTokens] = [[...saved.keys()], [...saved.values()]]
  const answers = new Map<number, number>()
  let isOver = false
  const ask = async () => {
    while (!isOver) {
      const id = ids[Math.floor(Math.random() * ids.length)] ?? ''
      const answer = await fleet.call('POST', `/v1/tokens/${id}/refresh`).catch(() => null)
      await answer?.text().catch(() => null)
      answers.set(answer?.status ?? 0, (answers.get(answer?.status ?? 0) ?? 0) + 1)
      await pause(ASK_EVERY_MS)
    }
  }
  const callers = Array.from({ length: CALLERS }, ask)
  const requests = () => Math.min(...refreshTokens.map((token) => seenMs(token).length))
  for (const moment of [LIMIT.count / 2, LIMIT.count + 3, 2 * LIMIT.count]) {
    await expect.poll(requests, soon).toBeGreaterThanOrEqual(moment)
    await fleet.crash(fleet.any())
    await fleet.call('DELETE', '/v1/tokens/token-1')
    await save('token-1', refreshTokens[1] ?? '')
    await database.query(`update tokens set refresh_due_at = now() where id = 'token-2'`)
  }
  await expect.poll(requests, soon).toBeGreaterThanOrEqual(REQUESTS)
  isOver = true
  await Promise.all(callers)
  const counts = refreshTokens.map((token) => seenMs(token).length)
  console.info(`${counts.join(', ')} requests of the tokens; answers by status:`, answers)
  const fullest = refreshTokens.map((token) => mostInAWindow(seenMs(token)))
  expect(fullest.filter((count) => count > LIMIT.count)).toEqual([])
  expect(answers.get(503)).toBeGreaterThan(0)
}, 180_000)

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { AuditEntry } from '../../src/domain/audit.ts'
import { VaultError } from '../../src/domain/errors.ts'
import { createFailedAttempts, networkOf } from '../../src/http/failed-attempts.ts'
import { createRequestRate } from '../../src/http/request-rate.ts'
import { createDisclosureBudget } from '../../src/vault/disclosure-budget.ts'
import { createTestApp } from '../support/app.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { Answer, TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

const MASTER_KEYS = generateMasterKey('k1')
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})

afterAll(async () => {
  await database.drop()
})

const start = (env: Record<string, string>) =>
  startVault({ databaseUrl: database.url, env: { ...env, TOKEN_VAULT_MASTER_KEYS: MASTER_KEYS } })
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const brakesIn = (vault: TestVault, keyId: string) =>
  vault.audit().filter(({ action, actor }) => action === 'brake.closed' && actor === keyId)

async function makeKey(vault: TestVault, scopes: string[]): Promise<{ id: string; key: string }> {
  const { body } = await vault.call('POST', '/v1/keys', { name: 'test', scopes })
  return body as { id: string; key: string }
}

function expectBraked({ status, body, headers }: Answer): void {
  expect([status, body.code]).toEqual([429, 'rate_limited'])
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
}

/** A clock that the test moves. */
function movedClock() {
  let nowMs = 0
  return {
    monotonicMs: () => nowMs,
    sleep: () => Promise.resolve(),
    move: (seconds: number) => (nowMs += seconds * 1000),
  }
}

describe('the rate limit', () => {
  let vault: TestVault
  beforeAll(async () => {
    vault = await start({ TOKEN_VAULT_RATE_LIMIT: '5' })
  })
  afterAll(() => vault.close())

  test('refuses what a key sends beyond it, before the body is read, and writes that down once', async () => {
    const { id, key } = await makeKey(vault, ['tokens:list'])
    const send = () => vault.call('POST', '/v1/tokens/find', '{ not json', bearer(key))
    const answers = await Promise.all(Array.from({ length: 40 }, send))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(25)
    refused.forEach(expectBraked)
    const taken = answers.filter(({ status }) => status === 400).length
    expect(taken).toBeGreaterThanOrEqual(5)
    expect(taken).toBeLessThanOrEqual(15)
    const lines = brakesIn(vault, id)
    expect(lines.length).toBeGreaterThanOrEqual(1)
    expect(lines.length).toBeLessThanOrEqual(3)
    expect(lines[0]).toMatchObject({ outcome: 'request_rate' })
  })

  test('counts what the scopes of a key refuse, too', async () => {
    const { key } = await makeKey(vault, ['tokens:list'])
    const make = () => vault.call('POST', '/v1/keys', { name: 'x', scopes: ['admin'] }, bearer(key))
    const answers = await Promise.all(Array.from({ length: 40 }, make))
    expect(answers.filter(({ status }) => status === 403).length).toBeLessThanOrEqual(15)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403, 429]))
  })

  test('that closes while the audit log cannot be written is written down as soon as it can', async () => {
    const told: AuditEntry[] = []
    let tries = 0
    const record = async (entries: readonly AuditEntry[]) => {
      if (++tries === 1) throw new VaultError('storage_unavailable', 'The disk is full.')
      return Promise.resolve(void told.push(...entries))
    }
    const audit = { record, close: () => Promise.resolve() }
    const app = await createTestApp({}, { rateLimit: 1, clock: movedClock(), audit })
    const answers = []
    for (let sent = 0; sent < 4; sent += 1)
      answers.push(await app.inject({ url: '/v1/keys', headers: bearer('admin') }))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 503, 429, 429])
    expect(told).toMatchObject([{ action: 'brake.closed', outcome: 'request_rate' }])
    await app.close()
  })

  test('of one key is nothing to another one, nor to the public routes, and it passes', async () => {
    const [one, other] = [await makeKey(vault, ['tokens:list']), await makeKey(vault, ['tokens:list'])]
    const list = (key: string) => vault.call('GET', '/v1/tokens', undefined, bearer(key))
    await Promise.all(Array.from({ length: 20 }, () => list(one.key)))
    expect((await list(other.key)).status).toBe(200)
    const healthy = await Promise.all(Array.from({ length: 20 }, () => vault.call('GET', '/healthz')))
    expect(healthy.every(({ status }) => status === 200)).toBe(true)
    await expect.poll(async () => (await list(one.key)).status, { timeout: 5_000 }).toBe(200)
  })

  test('is of a second from the first request of a key, whatever it sends beyond it', () => {
    const clock = movedClock()
    const rate = createRequestRate(2, clock)
    const count = (times: number, keyId = 'k') => Array.from({ length: times }, () => rate.count(keyId))
    expect(count(1)).toEqual([null])
    clock.move(0.9)
    expect(count(3)).toEqual([null, 1, 1])
    expect(count(2, 'other')).toEqual([null, null])
    clock.move(0.1)
    expect(count(3)).toEqual([null, null, 1])
    expect(count(1, 'other')).toEqual([1])
    clock.move(1)
    expect([count(1), count(1, 'other')]).toEqual([[null], [null]])
  })

  test('of a key that was silent for longest is forgotten, where there are too many keys', () => {
    const rate = createRequestRate(1, movedClock())
    const count = (keyId: string) => rate.count(keyId)
    expect([count('silent'), count('busy')]).toEqual([null, null])
    for (let key = 0; key < 9_999; key += 1) {
      count(`${key}`)
      if (key === 9_000) expect(count('busy')).toBe(1)
    }
    expect([count('busy'), count('silent')]).toEqual([1, null])
  })
})

describe('the disclosure budget', () => {
  let vault: TestVault
  let ids: string[]
  beforeAll(async () => {
    vault = await start({ TOKEN_VAULT_DISCLOSURE_BUDGET: '3' })
    const writer = await makeKey(vault, ['tokens:write'])
    const save = async (n: number) => {
      const token = { user_name: `budget-${n}`, client_id: 'c1', access_token: `access-${n}` }
      return (await vault.save(token, bearer(writer.key))).body.id ?? ''
    }
    ids = await Promise.all([1, 2, 3, 4, 5].map(save))
  })
  afterAll(() => vault.close())

  const get = (id: string | undefined, key: string) =>
    vault.call('GET', `/v1/tokens/${id ?? ''}`, undefined, bearer(key))

  test('is not spent by HEAD, which shows nothing', async () => {
    const { key } = await makeKey(vault, ['tokens:use'])
    for (const id of ids) {
      for (const path of [`/v1/tokens/${id}`, `/v1/tokens/${id}/access-token?min_ttl=0`]) {
        expect((await vault.call('HEAD', path, undefined, bearer(key))).status).toBe(200)
      }
    }
    for (const unseen of [0, 1, 2]) expect((await get(ids[unseen], key)).status).toBe(200)
  })

  test('lets a key see so many distinct tokens, as often as it likes, and no other one', async () => {
    const { id, key } = await makeKey(vault, ['tokens:use'])
    for (const seen of [0, 1, 2, 0, 1, 2]) expect((await get(ids[seen], key)).status).toBe(200)
    for (const unseen of [3, 4, 3]) {
      const refused = await get(ids[unseen], key)
      expectBraked(refused)
      expect(refused.text).not.toContain('access-')
    }
    expect((await get(ids[0], key)).body.access_token).toBe('access-1')
    expect(brakesIn(vault, id)).toMatchObject([{ outcome: 'disclosure_budget' }])
    expect((await get(ids[3], (await makeKey(vault, ['tokens:use'])).key)).status).toBe(200)
  })

  test('refuses a page that does not fit, whole, and lets metadata through', async () => {
    const { key } = await makeKey(vault, ['tokens:use'])
    const list = (query: string) => vault.call('GET', `/v1/tokens?${query}`, undefined, bearer(key))
    expectBraked(await list('include=secrets&limit=5'))
    expect((await list('limit=5')).body.tokens).toHaveLength(5)
    expect((await list('include=secrets&limit=3')).status).toBe(200)
    const blind = await makeKey(vault, ['tokens:list'])
    for (const id of ids) expect((await get(id, blind.key)).status).toBe(200)
  })

  test('does not hide that a save took effect: its answer has the metadata only', async () => {
    const { key } = await makeKey(vault, ['tokens:use', 'tokens:write'])
    for (const id of ids.slice(0, 3)) await get(id, key)
    const saved = await vault.save({ id: ids[4], access_token: 'newer' }, bearer(key))
    expect([saved.status, saved.body.version, saved.body.access_token]).toEqual([200, 2, undefined])
  })

  test('counts the last hour, and says when there is room again', () => {
    const clock = movedClock()
    const budget = createDisclosureBudget(2, clock)
    expect(budget.spend('k', ['a'])).toBeNull()
    clock.move(600)
    expect(budget.spend('k', ['b', 'b'])).toBeNull()
    clock.move(600)
    expect([budget.spend('k', ['c']), budget.spend('k', ['c', 'd'])]).toEqual([2400, 3000])
    expect(budget.spend('k', ['a', 'b'])).toBeNull()
    clock.move(3000)
    expect(budget.spend('k', ['c'])).toBe(600)
    clock.move(600)
    expect(budget.spend('k', ['c', 'd'])).toBeNull()
    expect(budget.spend('k', ['a', 'b', 'c'])).toBe(3600)
  })
})

describe('failed authentication', () => {
  test('is answered ever more slowly, up to a second, for one address, and forgiven with time', () => {
    const clock = movedClock()
    const attempts = createFailedAttempts(clock)
    const note = (times: number, address = '192.0.2.1') =>
      Array.from({ length: times }, () => attempts.note(address))
    expect(note(20)).toEqual(Array.from({ length: 20 }, () => 0))
    expect(note(8)).toEqual([10, 20, 40, 80, 160, 320, 640, 1000])
    expect(note(1, '192.0.2.2')).toEqual([0])
    expect(note(1)).toEqual([1000])
    clock.move(60)
    expect(note(1)).toEqual([0])
  })

  test('counts for the network of an address of IPv6, which one caller has all of', () => {
    const same = ['2001:db8::1', '2001:db8:0:0:ffff::', '2001:db8:0:0:1:2:3:4', '2001:db8::1%eth0']
    expect(new Set(same.map(networkOf)).size).toBe(1)
    expect(networkOf('2001:db8:0:1::1')).not.toBe(networkOf('2001:db8::1'))
    expect([networkOf('::ffff:192.0.2.1'), networkOf('192.0.2.1')]).toEqual(['192.0.2.1', '192.0.2.1'])
  })

  test('slows nobody who has a key, from the same address, and no header chooses the address', async () => {
    const vault = await start({})
    const guess = (n: number) =>
      vault.call('GET', '/v1/tokens', undefined, {
        ...bearer(`tv_${'0'.repeat(20)}_${'x'.repeat(43)}`),
        'x-forwarded-for': `192.0.2.${n}`,
      })
    const guesses = Promise.all(Array.from({ length: 40 }, (_, n) => guess(n)))
    await Promise.all(Array.from({ length: 40 }, (_, n) => guess(n)))
    const startedMs = performance.now()
    const slow = guess(1).then(() => performance.now() - startedMs)
    const right = await vault.call('GET', '/v1/tokens')
    const rightMs = performance.now() - startedMs
    expect(right.status).toBe(200)
    expect(rightMs).toBeLessThan(await slow)
    expect((await guesses).every(({ status }) => status === 401)).toBe(true)
    await vault.close()
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredApiKey } from '../../src/domain/api-key.ts'
import { digestOfKey, generateApiKey } from '../../src/domain/api-key.ts'
import type { Authenticator } from '../../src/vault/authenticator.ts'
import { createAuthenticator } from '../../src/vault/authenticator.ts'
import { inSeconds, NOON } from '../support/domain.ts'

const KEY = generateApiKey('crm')
const OTHER_SECRET = generateApiKey('crm')
const UNKNOWN = generateApiKey('nobody')

let nowMs: number
/** Ids that the storage was asked for, in their order. */
let asked: string[]
let touched: string[]
/** What the storage has, and how long it takes to say so. */
let stored: Map<string, Omit<StoredApiKey, 'now'>>
let findMs: number
let authenticator: Authenticator

const at = () => inSeconds(nowMs / 1000)

function add(key: string, expiresAt: Date | null = null): void {
  const id = key.split('_')[1] ?? ''
  const about = { namespaceId: 'n', id, name: id, createdAt: NOON, lastUsedAt: null, expiresAt }
  stored.set(id, { apiKey: { ...about, scopes: ['tokens:list'] }, digest: digestOfKey(key) })
}

beforeEach(() => {
  nowMs = 0
  findMs = 0
  asked = []
  touched = []
  stored = new Map()
  add(KEY)
  const unexpected = () => Promise.reject(new Error('who authenticates only finds and touches'))
  authenticator = createAuthenticator({
    clock: { monotonicMs: () => nowMs, sleep: () => Promise.resolve() },
    bootstrap: { key: null, namespaceId: 'n' },
    store: {
      async find(id) {
        asked.push(id)
        const found = stored.get(id)
        const now = at()
        await new Promise((resolve) => setImmediate(resolve))
        nowMs += findMs
        return found === undefined ? null : { ...found, now }
      },
      touch(_namespaceId, id) {
        touched.push(id)
        return Promise.resolve()
      },
      now: unexpected,
      list: unexpected,
      add: unexpected,
      remove: unexpected,
    },
  })
})

const isLetIn = async (key = KEY) => (await authenticator.authenticate(key)) !== null

describe('a key in use', () => {
  test('is read once in three seconds, and its use noted once', async () => {
    for (nowMs = 0; nowMs < 3000; nowMs += 100) expect(await isLetIn()).toBe(true)
    expect([asked, touched]).toEqual([['crm'], ['crm']])
    expect(await isLetIn()).toBe(true)
    expect(asked).toEqual(['crm', 'crm'])
  })

  test('is read once for all requests that bring it at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => isLetIn()))
    expect([all.every(Boolean), asked]).toEqual([true, ['crm']])
  })

  test('is pushed out by no crowd of ids that are none', async () => {
    await isLetIn()
    const crowd = Array.from({ length: 20_000 }, (_, n) => generateApiKey(`none${n}`))
    expect((await Promise.all(crowd.map(isLetIn))).some(Boolean)).toBe(false)
    asked = []
    expect([await isLetIn(), asked]).toEqual([true, []])
  })

  test.each([0, 500, 3000, 3900, 9000])(
    'is let in no more from 5 s after its revocation on, where the storage takes %i ms',
    async (takesMs) => {
      await isLetIn()
      findMs = takesMs
      for (nowMs = 0; nowMs < 20_000; nowMs += 100) {
        const startedMs = nowMs
        if (startedMs >= 2000) stored.delete('crm')
        const letIn = await isLetIn().catch(() => false)
        if (letIn) expect(nowMs).toBeLessThan(2000 + 5000)
        nowMs = startedMs
      }
    },
  )

  test('that was revoked while the storage took its time is not believed to be one', async () => {
    findMs = 4000
    await expect(isLetIn()).rejects.toMatchObject({
      code: 'storage_unavailable',
      facts: { retryAfterSeconds: 2 },
    })
    findMs = 3999
    expect(await isLetIn()).toBe(true)
  })

  test('is refused from the moment of its expiry on', async () => {
    add(KEY, inSeconds(1))
    expect(await isLetIn()).toBe(true)
    nowMs = 1000
    expect(await isLetIn()).toBe(false)
  })
})

describe('a key that is none', () => {
  test.each([
    ['an unknown id', UNKNOWN, 'nobody'],
    ['a wrong secret', OTHER_SECRET, 'crm'],
  ])('costs one read each time, and no more: %s', async (_what, key, id) => {
    await isLetIn()
    asked = []
    for (let times = 1; times <= 3; times += 1) {
      expect(await isLetIn(key)).toBe(false)
      expect(asked).toEqual(Array.from({ length: times }, () => id))
    }
    asked = []
    await Promise.all(Array.from({ length: 100 }, () => isLetIn(key)))
    expect(asked).toEqual([id])
  })

  test('costs one read where it is an expired one, too', async () => {
    add(KEY, inSeconds(0))
    for (let times = 1; times <= 3; times += 1) {
      expect(await isLetIn()).toBe(false)
      expect(asked).toHaveLength(times)
    }
  })

  test('is let in as soon as it is one', async () => {
    expect(await isLetIn(UNKNOWN)).toBe(false)
    add(UNKNOWN)
    expect(await isLetIn(UNKNOWN)).toBe(true)
  })
})

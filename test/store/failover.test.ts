import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../../src/store/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'

let real: TestDatabase

beforeAll(async () => {
  real = await createTestDatabase()
})

afterAll(() => real.drop())

/** Tries until it works: each failure passes the turn to the next host. */
async function reaches(urls: string[]): Promise<boolean> {
  const database = createDatabase({ urls, size: 2, name: 'failover', onLost: () => undefined })
  try {
    for (let tries = 0; tries < 10; tries += 1) {
      const reached = await database.ping().then(
        () => true,
        () => false,
      )
      if (reached) return true
      await sleep(20)
    }
    return false
  } finally {
    await database.close()
  }
}

test('a host that nobody listens on passes the turn on', async () => {
  expect(await reaches(['postgres://nobody@127.0.0.1:1/none', real.url])).toBe(true)
})

test('a host that has no such database passes the turn on', async () => {
  const elsewhere = Object.assign(new URL(real.url), { pathname: '/no_such_database' }).href
  expect(await reaches([elsewhere, real.url])).toBe(true)
})

test('no host at all is no reason to hang', async () => {
  expect(await reaches(['postgres://nobody@127.0.0.1:1/none'])).toBe(false)
})

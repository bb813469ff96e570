import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reasonOf } from '../../src/backing/database-faults.ts'
import { createDatabase } from '../../src/store/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { SessionPooler } from '../support/session-pooler.ts'
import { startSessionPooler } from '../support/session-pooler.ts'

const OURS = { statement_timeout: '5s', lock_timeout: '2s', plan_cache_mode: 'force_generic_plan' }
const ITS_OWN = '?options=-c%20search_path%3Delsewhere'

let target: TestDatabase
let pooler: SessionPooler

beforeAll(async () => {
  target = await createTestDatabase()
  pooler = await startSessionPooler(target.url)
})
afterAll(async () => {
  pooler.close()
  await target.drop()
})

async function settingsOver(url: string, patient = false): Promise<Record<string, string>> {
  const opened = createDatabase({ urls: [url], size: 1, name: 'test', patient, onLost: () => undefined })
  try {
    const { rows } = await sql<{ name: string; setting: string }>`
      select name, current_setting(name) as setting from pg_settings
      where name in ('statement_timeout', 'lock_timeout', 'plan_cache_mode', 'search_path')`.execute(
      opened.db,
    )
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
  } finally {
    await opened.close()
  }
}

describe('a session has its settings', () => {
  test('over a pooler that takes none with the start of a connection', async () => {
    expect(await settingsOver(pooler.url)).toMatchObject(OURS)
  })

  test('beside those that the URL has of its own', async () => {
    expect(await settingsOver(`${target.url}${ITS_OWN}`)).toMatchObject({ ...OURS, search_path: 'elsewhere' })
  })

  test('without limits where its statements may take long', async () => {
    const { statement_timeout, lock_timeout } = await settingsOver(target.url, true)
    expect([statement_timeout, lock_timeout]).toEqual(['0', '0'])
  })
})

test('a pooler that refuses the settings of the URL is understood', async () => {
  const refusal = await settingsOver(`${pooler.url}${ITS_OWN}`).catch(reasonOf)
  expect(refusal).toBe('08P01: a pooler refuses the connection, or a parameter of the URL')
})

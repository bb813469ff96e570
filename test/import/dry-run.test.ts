import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ANN, ONEIL, ZOE } from './dialects.ts'
import type { ImportWorld } from './import-world.ts'
import { openImportWorld } from './import-world.ts'

let world: ImportWorld

beforeAll(async () => {
  world = await openImportWorld()
})
afterAll(() => world.close())
beforeEach(() => world.empty())

const LATER = '1924992000000'

test('a dry run tells the same and writes nothing', async () => {
  await world.importRows([ANN])
  const stored = () => world.query('select * from tokens order by id')
  const before = await stored()
  const rows = [
    ANN,
    { ...ANN, expiry_time: LATER },
    ONEIL,
    { ...ONEIL, expiry_time: LATER },
    { id: '9' },
    { ...ZOE, api_domain: 'x' },
  ]
  const dry = await world.importRows(rows, { dryRun: true })
  expect(await stored()).toEqual(before)
  expect(await world.query('select distinct type from events')).toEqual([{ type: 'token.created' }])
  expect(dry.told[0]).toMatch(/^Dry run, no token was saved. What 6 rows of /)
  expect(dry.counts).toEqual({ unchanged: 1, imported: 1, duplicate: 2, empty: 1, skipped: 1 })
  const wet = await world.importRows(rows)
  expect([wet.counts, wet.told.slice(1)]).toEqual([dry.counts, dry.told.slice(1)])
})

test('a dry run tells which ids are not kept, as the import does', async () => {
  const other = { client_id: 'c', refresh_token: 'other', client_secret: 's' }
  const rows = [
    { ...ANN, id: '2' },
    { ...ANN, id: '3', expiry_time: LATER },
    { ...other, id: '3' },
    { ...other, id: '2', refresh_token: 'one more' },
    { ...other, id: '4', refresh_token: 'one more' },
    { ...ANN, id: 'no id!' },
  ]
  const dry = await world.importRows(rows, { dryRun: true })
  const wet = await world.importRows(rows)
  expect(wet.told).toContain('line 3: id 3 cannot be kept; now 2')
  // Only the import makes ids.
  const told = wet.told.map((line) => line.replace(/now [0-9a-f-]{36}$/, 'a new one is made'))
  expect([dry.counts, dry.told.slice(1).sort()]).toEqual([wet.counts, told.slice(1).sort()])
})

import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Columns } from '../../src/import/token-source.ts'
import { ANN, lacking, ONEIL, ZOE } from './dialects.ts'
import type { Imported, ImportWorld } from './import-world.ts'
import { openImportWorld } from './import-world.ts'

let world: ImportWorld

beforeAll(async () => {
  world = await openImportWorld()
})
afterAll(() => world.close())
beforeEach(() => world.empty())

const find = async (user_name = '') => (await world.vault.find({ user_name })).body
/** All but the hour of its last use, which is noted in the background. */
const stored = () => world.query(`select to_jsonb(tokens) - 'last_used_at' as token from tokens order by id`)

const [SOONER, LATER] = ['1893456000000', '1924992000000']

describe('a row', () => {
  test('becomes a token with all that it holds, and keeps its id', async () => {
    const { counts, told } = await world.importRows([ANN, ONEIL, ZOE])
    expect(counts).toEqual({ imported: 3 })
    expect(told).toEqual([
      expect.stringMatching(/^Import: 3 rows of .*sdk_tokens.txt into namespace default$/),
      '           3 imported',
    ])
    expect(await find(ONEIL.user_name)).toMatchObject({
      id: '2',
      provider: 'zoho',
      user_name: ONEIL.user_name,
      client_id: ONEIL.client_id,
      client_secret: ONEIL.client_secret,
      refresh_token: ONEIL.refresh_token,
      access_token: ONEIL.access_token,
      grant_token: ONEIL.grant_token,
      expires_at: '2030-01-01T00:00:00.000Z',
      redirect_url: ONEIL.redirect_url,
      api_domain: ONEIL.api_domain,
      status: 'active',
    })
  })

  test('imported again, with others and in another order, changes nothing', async () => {
    await world.importRows([ANN, ONEIL, ZOE])
    const before = await stored()
    expect((await world.importRows([ZOE, ONEIL, ANN])).counts).toEqual({ unchanged: 3 })
    expect(await stored()).toEqual(before)
    expect(await world.query('select distinct type from events')).toEqual([{ type: 'token.created' }])
  })

  test('is merged into the token that the vault has of its user', async () => {
    const { user_name, client_id } = ANN
    const { id } = (await world.vault.save({ user_name, client_id, refresh_token: 'older' })).body
    expect((await world.importRows([ANN])).counts).toEqual({ merged: 1 })
    expect(await find(user_name)).toMatchObject({ id, refresh_token: ANN.refresh_token })
    expect(await stored()).toHaveLength(1)
  })

  test('that expires before what the vault has fills its blanks and replaces nothing', async () => {
    const { user_name, client_id } = ANN
    const kept = { refresh_token: 'newer', access_token: 'newer', expires_at: '2031-01-01T00:00:00.000Z' }
    await world.vault.save({ user_name, client_id, ...kept })
    expect((await world.importRows([ANN])).counts).toEqual({ merged: 1 })
    expect(await find(user_name)).toMatchObject({ ...kept, client_secret: ANN.client_secret })
    expect((await world.importRows([ANN])).counts).toEqual({ unchanged: 1 })
  })

  test('revives a token whose grant the provider has refused', async () => {
    const { user_name, client_id } = ANN
    await world.vault.save({
      user_name,
      client_id,
      refresh_token: 'dead',
      access_token: 'a',
      expires_at: '2031-01-01T00:00:00Z',
    })
    await world.query(`update tokens set status = 'reauth_required'`)
    expect((await world.importRows([ANN])).counts).toEqual({ merged: 1 })
    expect(await find(user_name)).toMatchObject({ status: 'active', refresh_token: ANN.refresh_token })
  })

  test('that has expired is stored as it is, for its first caller to have it renewed', async () => {
    expect((await world.importRows([{ ...ANN, expiry_time: '1500000000000' }])).counts).toEqual({
      imported: 1,
    })
    expect(await find(ANN.user_name)).toMatchObject({
      expires_at: '2017-07-14T02:40:00.000Z',
      status: 'active',
    })
  })

  test('without any token is told apart from a fault', async () => {
    const { counts, told } = await world.importRows([{ id: '1', user_name: 'ann' }])
    expect(counts).toEqual({ empty: 1 })
    expect(told).toContain('           1 without any token: nothing to import')
  })

  test('takes the client, its secret and the api_domain that it lacks from the options', async () => {
    const bare = lacking(ANN, 'client_id', 'client_secret', 'api_domain')
    const other = { ...lacking(ZOE, 'client_secret'), client_id: '1000.OTHER' }
    const blanks = { clientId: '1000.MINE', clientSecret: 'mine', apiDomain: 'https://www.zohoapis.in' }
    await world.importRows([bare, other], blanks)
    expect(await find(ANN.user_name)).toMatchObject({
      client_id: '1000.MINE',
      client_secret: 'mine',
      api_domain: 'https://www.zohoapis.in',
    })
    const others = await find(ZOE.user_name)
    expect(others).toMatchObject({ client_id: '1000.OTHER', api_domain: 'https://www.zohoapis.in' })
    expect(others).not.toHaveProperty('client_secret')
  })
})

describe('an expiry', () => {
  test.each([
    ['1893456000', '2030-01-01T00:00:00.000Z', /1 had an expiry in seconds: converted to milliseconds/],
    ['1893456000000.0', '2030-01-01T00:00:00.000Z', null],
    ['3600', undefined, /1 had an expiry that is no time: stored as unknown/],
    ['-1', undefined, /1 had an expiry that is no time/],
    ['tomorrow', undefined, /1 had an expiry that is no time/],
  ])('of %s', async (expiry_time, expires_at, remark) => {
    const { counts, told } = await world.importRows([{ ...ANN, expiry_time }])
    expect(counts).toEqual({ imported: 1 })
    expect((await find(ANN.user_name)).expires_at).toBe(expires_at)
    expect(told.slice(2)).toEqual(remark === null ? [] : [expect.stringMatching(remark)])
  })
})

describe('an id', () => {
  test('of another token in the vault does not match it, and is replaced by one of the vault', async () => {
    await world.importRows([
      { id: '1', client_id: 'c', refresh_token: 'first', api_domain: 'https://www.zohoapis.eu' },
    ])
    const second = { id: '1', client_id: 'c', refresh_token: 'second' }
    const { counts, told } = await world.importRows([second])
    expect(counts).toEqual({ imported: 1 })
    expect(told).toContain('           1 without a client secret: cannot be renewed, see --client-secret')
    expect(told.at(-1)).toMatch(/^line 2: id 1 cannot be kept; now [0-9a-f-]{36}$/)
    expect((await world.vault.find({ id: '1' })).body.refresh_token).toBe('first')
    expect((await world.importRows([second])).counts).toEqual({ unchanged: 1 })
  })

  test('that the vault does not allow is replaced', async () => {
    const { told } = await world.importRows([{ ...ANN, id: 'no id!' }])
    expect(told.at(-1)).toMatch(/^line 2: id no id! cannot be kept; now /)
    expect((await find(ANN.user_name)).id).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('of duplicates', () => {
  const twins = (first: string, second: string): Columns[] =>
    [first, second].map((expiry_time, index) => ({
      ...ANN,
      id: String(index + 1),
      refresh_token: `refresh-${expiry_time}`,
      access_token: `access-${expiry_time}`,
      expiry_time,
    }))

  test.each([
    [SOONER, LATER],
    [LATER, SOONER],
    ['1500000000000', '1600000000000'],
    ['1600000000000', '1500000000000'],
  ])('the one that expires last is kept, whatever their order (%s, %s)', async (first, second) => {
    const { counts, told } = await world.importRows(twins(first, second))
    expect(counts).toEqual({ imported: 1, duplicate: 1 })
    expect(told.at(-1)).toBe('line 3: is of the same token as line 2')
    const last = Math.max(Number(first), Number(second))
    expect(await find(ANN.user_name)).toMatchObject({
      access_token: `access-${last}`,
      refresh_token: `refresh-${last}`,
    })
    const before = await stored()
    await world.importRows(twins(first, second))
    expect(await stored()).toEqual(before)
  })

  test('many are named up to a number, and the others counted', async () => {
    const { counts, told } = await world.importRows(Array.from({ length: 61 }, () => ANN))
    expect(counts).toEqual({ imported: 1, duplicate: 60 })
    expect(told.filter((line) => line.startsWith('line '))).toHaveLength(50)
    expect(told.at(-1)).toBe('and 10 more')
  })
})

describe('a row that cannot be imported', () => {
  test('is reported by its line and reason, shows no secret, and keeps no other row from it', async () => {
    const { user_name, client_id } = ZOE
    const { id } = (await world.vault.save({ user_name: 'owner', client_id, refresh_token: 'owned' })).body
    const { counts, told } = await world.importRows([
      ANN,
      { id: '7', user_name: 'thief', client_id: '1000.CLIENT', refresh_token: 'owned' },
      { ...ONEIL, api_domain: 'https://api.example' },
      { ...ONEIL, redirect_url: 'https://app.example/\n' },
      { ...ONEIL, refresh_token: 'r'.repeat(16_385) },
      ZOE,
    ])
    expect(counts).toEqual({ imported: 2, skipped: 4 })
    expect(told.slice(-4).sort()).toEqual([
      `line 3: names an identity of token ${id}`,
      expect.stringMatching(/^line 4: api_domain no data centre of zoho has it; known are https:/),
      'line 5: redirect_url holds a control character',
      'line 7: refresh_token must NOT have more than 16384 characters',
    ])
    expect((await find(user_name)).id).toBe('3')
    expect(told.join('\n')).not.toMatch(/owned|fake-secret|1000\.(refresh|access|grant)/)
  })

  test('is one that several tokens answer to', async () => {
    const both = ['c-1', 'c-2'].map((client_id) => ({
      user_name: 'ann',
      client_id,
      refresh_token: client_id,
    }))
    await world.importRows(both)
    const { counts, told } = await world.importRows([{ user_name: 'ann', refresh_token: 'r' }])
    expect(counts).toEqual({ skipped: 1 })
    expect(told.at(-1)).toMatch(/^line 2: matches several tokens: /)
  })
})

describe('whatever the rows hold', () => {
  const few = (name: string) => fc.constantFrom('', ...[1, 2, 3].map((number) => `${name}-${number}`))
  const some = (name: string) => few(name).filter((value) => value !== '')
  const text = fc.string({ unit: 'grapheme', maxLength: 20 })
  const anything = {
    id: fc.oneof(few('id'), text),
    user_name: fc.oneof(few('user'), text),
    client_id: few('client'),
    client_secret: text,
    refresh_token: fc.oneof(few('refresh'), text),
    access_token: fc.oneof(few('access'), text),
    grant_token: few('grant'),
    expiry_time: fc.constantFrom('', SOONER, LATER, '1500000000', 'never'),
    redirect_url: text,
    api_domain: fc.constantFrom('', ANN.api_domain ?? '', 'https://api.example'),
  }
  const isBlank = (row: Columns) => Object.values(row).every((value) => value === '')
  const rowsOf = (row: fc.Arbitrary<Columns>) =>
    fc.array(
      row.filter((columns) => !isBlank(columns)),
      { maxLength: 12 },
    )
  const total = ({ counts }: Imported) => Object.values(counts).reduce((sum, count) => sum + count, 0)

  test('each has one end, and none is lost', async () => {
    await fc.assert(
      fc.asyncProperty(rowsOf(fc.record(anything)), async (rows) => {
        await world.empty()
        const first = await world.importRows(rows)
        expect(total(first)).toBe(rows.length)
        expect((await stored()).length).toBeLessThanOrEqual(first.counts.imported ?? 0)
        expect(total(await world.importRows(rows))).toBe(rows.length)
      }),
      { numRuns: 10 },
    )
  })

  test('none that has a user and a client becomes a second token by a second run', async () => {
    const row = fc.record({ ...anything, user_name: some('user'), client_id: some('client') })
    await fc.assert(
      fc.asyncProperty(rowsOf(row), async (rows) => {
        await world.empty()
        const first = await world.importRows(rows)
        const second = await world.importRows(rows)
        // What was in another row's way need not be any more.
        expect(second.counts.imported ?? 0).toBeLessThanOrEqual(first.counts.skipped ?? 0)
      }),
      { numRuns: 10 },
    )
  })
})

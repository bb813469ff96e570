import { beforeEach, describe, expect, test } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import { FIELD_SCOPES } from '../../src/http/route-rules.ts'
import { useVault } from '../support/vault.ts'

const { database, vault } = useVault()

beforeEach(async () => {
  await database.query('delete from tokens')
  await database.query('delete from events')
})

const idsOf = (tokens: Token[] | undefined) => tokens?.map(({ id }) => id) ?? []
const list = async (query = '') => (await vault.call('GET', `/v1/tokens${query}`)).body
const saveMany = (ids: string[]) => Promise.all(ids.map((id) => vault.save({ id, access_token: `t ${id}` })))

const MORE_SECRETS = { client_secret: 's', refresh_token: 'r', grant_token: 'g' }

/** Three tokens that every filter tells apart. */
async function saveThree(): Promise<void> {
  await vault.save({
    id: 'a',
    user_name: 'Ann',
    client_id: 'app',
    access_token: '1',
    expires_at: '2030-01-01T00:00:00Z',
  })
  await vault.save({
    id: 'b',
    user_name: 'bob',
    client_id: 'app',
    provider: 'acme',
    access_token: '2',
    expires_at: '2031-01-01T00:00:00Z',
  })
  await vault.save({ id: 'c', user_name: 'ann', client_id: 'other', access_token: '3', ...MORE_SECRETS })
  await database.query(`update tokens set status = 'failing' where id = 'c'`)
}

const FILTERS: [query: string, passed: string[]][] = [
  ['user_name=ANN', ['a', 'c']],
  ['client_id=app', ['a', 'b']],
  ['provider=acme', ['b']],
  ['provider=zoho&client_id=app', ['a']],
  ['status=failing', ['c']],
  ['status=active', ['a', 'b']],
  ['status=reauth_required', []],
  ['expires_before=2031-01-01T00:00:00.000Z', ['a']],
  ['expires_before=2040-01-01T00:00:00%2B01:00', ['a', 'b']],
  ['user_name=nobody', []],
  ['user_name=ann&status=failing', ['c']],
]

test('a page with a token that does not open is a 500 whose log line names it: none is left out in silence', async () => {
  await saveMany(['a', 'b', 'c'])
  await database.query(
    `update tokens set access_token = (select access_token from tokens where id = 'a') where id = 'b'`,
  )
  const { status, body } = await vault.call('GET', '/v1/tokens?include=secrets')
  expect([status, body.code, body.tokens]).toEqual([500, 'internal_error', undefined])
  const line = vault
    .log()
    .split('\n')
    .find((each) => each.includes(body.request_id ?? '') && each.includes('failed'))
  const sealed = { data_key_id: 2, table: 'tokens', row_id: 'b', field: 'access_token' }
  expect(JSON.parse(line ?? '')).toMatchObject({ msg: 'request failed', err: { sealed } })
  expect(idsOf((await list()).tokens)).toEqual(['a', 'b', 'c'])
  expect((await vault.call('DELETE', '/v1/tokens/b')).status).toBe(204)
  expect(idsOf((await list('?include=secrets')).tokens)).toEqual(['a', 'c'])
})

describe('the list', () => {
  test.each(FILTERS)('passes what %s passes', async (query, passed) => {
    await saveThree()
    expect(idsOf((await list(`?${query}`)).tokens)).toEqual(passed)
  })

  test('takes an empty filter for an absent one', async () => {
    await saveThree()
    const empty = '?user_name=&client_id=&provider=&status=&expires_before=&cursor=&include=&limit='
    expect(idsOf((await list(empty)).tokens)).toEqual(['a', 'b', 'c'])
  })

  test('holds metadata only, unless secrets are asked for', async () => {
    await saveThree()
    const metadata = (await list()).tokens ?? []
    expect(idsOf(metadata)).toEqual(['a', 'b', 'c'])
    for (const token of metadata)
      for (const field of Object.keys(FIELD_SCOPES)) expect(token).not.toHaveProperty(field)
    const { tokens } = await list('?include=secrets')
    expect(tokens?.map(({ access_token }) => access_token)).toEqual(['1', '2', '3'])
    expect(tokens?.[2]).toMatchObject(MORE_SECRETS)
    for (const field of Object.keys(FIELD_SCOPES)) expect(tokens?.[2]).toHaveProperty(field)
  })

  test('does not count as a use of the tokens', async () => {
    await saveThree()
    expect(idsOf((await list('?include=secrets')).tokens)).toEqual(['a', 'b', 'c'])
    await vault.call('GET', '/v1/tokens/c')
    const used = async () => database.query('select id from tokens where last_used_at is not null')
    // Uses are noted together: once that of the one token is, those of the list would be, too.
    await expect.poll(used).not.toEqual([])
    expect(await used()).toEqual([{ id: 'c' }])
  })

  test('of nothing is empty, and has no next page', async () => {
    expect(await list()).toEqual({ tokens: [] })
  })

  test('goes on where the page before ended, until there is no cursor', async () => {
    await saveMany(['a', 'b', 'c', 'd', 'e'])
    const first = await list('?limit=2')
    expect((await list('?limit=5')).next_cursor).toBeUndefined()
    const second = await list(`?limit=2&cursor=${first.next_cursor}`)
    const third = await list(`?limit=2&cursor=${second.next_cursor}`)
    expect([first, second, third].map(({ tokens }) => idsOf(tokens))).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(third.next_cursor).toBeUndefined()
  })

  test('has 100 tokens a page where no limit is given, and up to 1000', async () => {
    const ids = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`)
    await saveMany(ids)
    expect((await list()).tokens).toHaveLength(100)
    expect(idsOf((await list('?limit=1000')).tokens)).toEqual(ids)
  })

  test('keeps to its filter over all pages', async () => {
    await saveMany(['a', 'b', 'c'])
    await vault.save({ id: 'bb', provider: 'acme', access_token: 'x' })
    const first = await list('?provider=zoho&limit=2')
    expect(idsOf((await list(`?provider=zoho&limit=2&cursor=${first.next_cursor}`)).tokens)).toEqual(['c'])
  })

  test('names each token that is there throughout exactly once, whatever is written meanwhile', async () => {
    const stable = Array.from({ length: 40 }, (_, index) => `s${String((index * 7) % 40).padStart(2, '0')}`)
    const passing = Array.from({ length: 40 }, (_, index) => `p${index}`)
    await saveMany([...stable, ...passing])
    const seen: string[] = []
    let cursor: string | undefined = ''
    for (let page = 0; cursor !== undefined; page += 1) {
      const writes = [
        saveMany([`s${page}-new`, `p${page}-new`, `z${page}`]),
        vault.call('DELETE', `/v1/tokens/p${page}`),
        vault.save({ id: stable[page] ?? 's00', scope: `page ${page}` }),
      ]
      const body = await list(`?limit=7&cursor=${cursor}`)
      seen.push(...idsOf(body.tokens))
      cursor = body.next_cursor
      await Promise.all(writes)
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter((id) => stable.includes(id))).toEqual(stable.toSorted())
  })

  test('goes on after a token that was deleted meanwhile', async () => {
    await saveMany(['a', 'b', 'c'])
    const { next_cursor } = await list('?limit=2')
    await vault.call('DELETE', '/v1/tokens/b')
    expect(idsOf((await list(`?cursor=${next_cursor}`)).tokens)).toEqual(['c'])
  })

  test.each(['!!', 'a b', 'YQ==', '%F0%9F%98%80', 'x'.repeat(129)])(
    'refuses the cursor %s that it did not give',
    async (cursor) => {
      const { code, errors } = await list(`?cursor=${cursor}`)
      expect([code, errors?.[0]?.pointer]).toEqual(['invalid_request', '/cursor'])
    },
  )
})

describe('deleting', () => {
  test('a token answers 204, once', async () => {
    await saveThree()
    const { status, text } = await vault.call('DELETE', '/v1/tokens/a')
    expect([status, text]).toEqual([204, ''])
    const again = await vault.call('DELETE', '/v1/tokens/a')
    expect([again.status, again.body.code]).toEqual([404, 'not_found'])
    expect(idsOf((await list()).tokens)).toEqual(['b', 'c'])
  })

  test('depends on If-Match: a token that has moved on stays', async () => {
    await vault.save({ id: 'a', access_token: 't' })
    const refused = await vault.call('DELETE', '/v1/tokens/a', undefined, { 'if-match': '"2"' })
    expect([refused.status, refused.body.code]).toEqual([412, 'version_mismatch'])
    expect((await vault.call('GET', '/v1/tokens/a')).status).toBe(200)
    const done = await vault.call('DELETE', '/v1/tokens/a', undefined, { 'if-match': '"1"' })
    expect(done.status).toBe(204)
  })

  test('many tokens takes no If-Match, and neither does any other change that depends on no version', async () => {
    await saveThree()
    const key = { name: 'n', scopes: ['admin'] }
    for (const [method, path, body] of [
      ['DELETE', '/v1/tokens?all=true', undefined],
      ['POST', '/v1/tokens/exchange', { client_id: 'app', grant_token: 'g' }],
      ['POST', '/v1/keys', key],
      ['DELETE', '/v1/keys/x', undefined],
    ] as const) {
      const refused = await vault.call(method, path, body, { 'if-match': '*' })
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request'])
      expect(refused.body.errors).toEqual([{ pointer: '/if-match', detail: 'is not wanted here (header)' }])
    }
    expect((await list()).tokens).toHaveLength(3)
  })

  test('a token takes no condition but If-Match, nor does a save: it would be made all the same', async () => {
    await saveThree()
    const ifNoneMatch = { 'if-none-match': '*' }
    for (const [method, path, body] of [
      ['DELETE', '/v1/tokens/a', undefined],
      ['POST', '/v1/tokens', { id: 'a', access_token: 'new' }],
      ['POST', '/v1/tokens/a/refresh', undefined],
    ] as const) {
      const refused = await vault.call(method, path, body, ifNoneMatch)
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request'])
      const errors = [{ pointer: '/if-none-match', detail: 'is not wanted here (header)' }]
      expect(refused.body.errors).toEqual(errors)
    }
    const { status, body } = await vault.call('GET', '/v1/tokens/a', undefined, ifNoneMatch)
    expect([status, body.version]).toEqual([200, 1])
  })

  test.each(['if-modified-since', 'if-unmodified-since'])('a token passes over %s', async (name) => {
    await vault.save({ id: 'a', access_token: 't' })
    const condition = { [name]: 'Mon, 01 Jan 1990 00:00:00 GMT', 'if-match': '"1"' }
    expect((await vault.call('DELETE', '/v1/tokens/a', undefined, condition)).status).toBe(204)
  })

  test('a token leaves nothing to find it by', async () => {
    await vault.save({ id: 'a', refresh_token: 'r1' })
    await vault.save({ id: 'a', refresh_token: 'r2' })
    await vault.call('DELETE', '/v1/tokens/a')
    expect((await vault.find({ refresh_token: 'r1' })).status).toBe(404)
    expect(await database.query('select from refresh_tokens')).toEqual([])
    expect((await vault.save({ refresh_token: 'r1' })).status).toBe(201)
  })

  test.each(FILTERS)('by %s deletes what the list of it shows', async (query, passed) => {
    await saveThree()
    expect((await vault.call('DELETE', `/v1/tokens?${query}`)).body).toEqual({ deleted: passed.length })
    expect(idsOf((await list()).tokens)).toEqual(['a', 'b', 'c'].filter((id) => !passed.includes(id)))
    const events = await database.query<{ token_id: string }>(
      `select token_id from events where type = 'token.deleted' order by 1`,
    )
    expect(events.map(({ token_id }) => token_id)).toEqual(passed)
  })

  test('with all=true deletes everything of the namespace, and nothing of another', async () => {
    await saveThree()
    await database.query(`update tokens set namespace_id = gen_random_uuid() where id = 'b'`)
    expect((await vault.call('DELETE', '/v1/tokens?all=true')).body).toEqual({ deleted: 2 })
    expect(await database.query('select id from tokens')).toEqual([{ id: 'b' }])
  })

  test.each(['', '?all=', '?user_name=', '?user_name=&status=&all=', '?all=true&user_name=ann'])(
    'by "%s" is refused and deletes nothing',
    async (query) => {
      await saveThree()
      const { status, body } = await vault.call('DELETE', `/v1/tokens${query}`)
      expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid_request', '/all'])
      expect((await list()).tokens).toHaveLength(3)
    },
  )

  test.each(['all=false', 'all=1', 'limit=1', 'include=secrets', 'cursor=YQ', 'id=a'])(
    'by %s is refused: it is no filter',
    async (query) => {
      await saveThree()
      const { status, body } = await vault.call('DELETE', `/v1/tokens?user_name=ann&${query}`)
      expect([status, body.errors?.[0]?.pointer]).toEqual([400, `/${query.split('=')[0]}`])
      expect((await list()).tokens).toHaveLength(3)
    },
  )

  test('the same tokens many times at once counts each of them once', async () => {
    await saveMany(Array.from({ length: 50 }, (_, index) => `t${(index * 37) % 50}`))
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => vault.call('DELETE', '/v1/tokens?provider=zoho')),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(answers.reduce((sum, { body }) => sum + (body.deleted ?? 0), 0)).toBe(50)
  })
})

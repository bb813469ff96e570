import { beforeEach, describe, expect, test } from 'vitest'
import { useVault } from '../support/vault.ts'

const { database, vault } = useVault()

beforeEach(async () => {
  await vault.call('DELETE', '/v1/tokens?all=true')
})

const LATER = '2040-01-01T00:00:00.000Z'

/** The id that a find answers, else its code. */
async function found(partial: object): Promise<string | undefined> {
  const { body } = await vault.find(partial)
  return body.code ?? body.id
}

describe('a find', () => {
  beforeEach(async () => {
    await vault.save({ id: 'u', user_name: 'ann', client_id: 'app', access_token: 'tu' })
    await vault.save({ id: 'g', client_id: 'app', grant_token: 'g', client_secret: 's' })
    await vault.save({ id: 'r', client_id: 'other', provider: 'acme', refresh_token: 'r' })
    await vault.save({ id: 't', client_id: 'app', access_token: 't' })
  })

  test.each([
    ['by id', { id: 'u' }, 'u'],
    ['by user', { user_name: 'ann' }, 'u'],
    ['by access token', { access_token: 't' }, 't'],
    ['by grant token', { grant_token: 'g' }, 'g'],
    ['by refresh token', { refresh_token: 'r' }, 'r'],
    ['by access token within a client', { access_token: 't', client_id: 'app' }, 't'],
    ['by id before all else', { id: 'u', access_token: 't', grant_token: 'g', refresh_token: 'r' }, 'u'],
    [
      'by user before any token',
      { user_name: 'ann', access_token: 't', grant_token: 'g', refresh_token: 'r' },
      'u',
    ],
    [
      'by access token before grant token where no client is given',
      { access_token: 't', grant_token: 'g' },
      't',
    ],
    [
      'by grant token before access token where a client is given',
      { client_id: 'app', access_token: 't', grant_token: 'g' },
      'g',
    ],
    [
      'by grant token before access token where a client secret is given',
      { client_secret: 's', access_token: 't', grant_token: 'g' },
      'g',
    ],
    ['by grant token before refresh token', { grant_token: 'g', refresh_token: 'r' }, 'g'],
    [
      'by refresh token where the grant token finds nothing',
      { grant_token: 'unknown', refresh_token: 'r' },
      'r',
    ],
    [
      'by refresh token before access token where a client is given',
      { client_id: 'other', access_token: 't', refresh_token: 'r' },
      'r',
    ],
    ['by nothing but the first criterion', { id: 'unknown', user_name: 'ann' }, 'not_found'],
    ['by nothing but the user', { user_name: 'unknown', access_token: 't' }, 'not_found'],
    ['that compares users in lower case', { user_name: 'ANN' }, 'u'],
    ['that takes an empty field for an absent one', { id: '', user_name: null, access_token: 't' }, 't'],
    ['whose other fields play no part', { id: 'u', scope: 'none', token_type: 'x', expires_in: 5 }, 'u'],
  ])('%s', async (_sentence, partial, id) => {
    expect(await found(partial)).toBe(id)
  })

  test.each([
    ['id', { id: 'u' }],
    ['user', { user_name: 'ann' }],
    ['grant token', { grant_token: 'g' }],
    ['access token', { access_token: 't' }],
  ])('by %s is narrowed by the client and the provider', async (_criterion, partial) => {
    expect(await found({ ...partial, client_id: 'app', provider: 'zoho' })).not.toBe('not_found')
    expect(await found({ ...partial, client_id: 'other' })).toBe('not_found')
    expect(await found({ ...partial, provider: 'acme' })).toBe('not_found')
  })

  test('by refresh token is narrowed by the client and the provider', async () => {
    expect(await found({ refresh_token: 'r', client_id: 'other', provider: 'acme' })).toBe('r')
    expect(await found({ refresh_token: 'r', client_id: 'app' })).toBe('not_found')
    expect(await found({ refresh_token: 'r', provider: 'zoho' })).toBe('not_found')
  })

  test.each([
    [{}],
    [{ client_id: 'app' }],
    [{ client_id: 'app', client_secret: 's', provider: 'zoho' }],
    [{ min_ttl: 60 }],
    [{ user_name: '', id: null }],
    [{ scope: 'x', redirect_url: 'https://a.example' }],
  ])('that names nothing to find by never finds some row: %j', async (partial) => {
    for (const path of ['/v1/tokens/find', '/v1/access-token']) {
      const { status, body } = await vault.call('POST', path, partial)
      expect([status, body.code]).toEqual([400, 'no_criterion'])
    }
  })

  test('answers the whole token and its version', async () => {
    const { status, headers, body } = await vault.find({ id: 'g' })
    expect([status, headers.get('etag')]).toEqual([200, '"1"'])
    expect(body).toEqual({
      id: 'g',
      provider: 'zoho',
      client_id: 'app',
      client_secret: 's',
      grant_token: 'g',
      status: 'active',
      refreshable: false,
      version: 1,
      created_at: expect.any(String) as string,
      updated_at: expect.any(String) as string,
    })
  })

  test('that several tokens answer to lists their ids', async () => {
    await vault.save({ id: 'u2', user_name: 'Ann', client_id: 'other', access_token: 'x' })
    const { status, body } = await vault.find({ user_name: 'ann' })
    expect([status, body.code, body.matches]).toEqual([409, 'ambiguous_match', ['u', 'u2']])
    expect(await found({ user_name: 'ann', client_id: 'other' })).toBe('u2')
  })
})

test('a token of another namespace is answered as one that there is not', async () => {
  await vault.save({ id: 'theirs', user_name: 'ann', access_token: 't' })
  await database.query(`update tokens set namespace_id = gen_random_uuid() where id = 'theirs'`)
  const { body: unknown } = await vault.find({ id: 'unknown' })
  for (const answer of [
    await vault.find({ id: 'theirs' }),
    await vault.find({ user_name: 'ann' }),
    await vault.find({ access_token: 't' }),
    await vault.call('GET', '/v1/tokens/theirs'),
    await vault.call('GET', '/v1/tokens/theirs/access-token'),
    await vault.call('POST', '/v1/tokens/theirs/refresh'),
    await vault.call('POST', '/v1/tokens/theirs/revoke'),
    await vault.call('DELETE', '/v1/tokens/theirs'),
  ]) {
    expect(answer.status).toBe(404)
    expect({ ...answer.body, request_id: '' }).toEqual({ ...unknown, request_id: '' })
  }
  expect((await vault.call('GET', '/v1/tokens')).body.tokens).toEqual([])
})

describe('values are data', () => {
  const VALUES = [
    "o'neil",
    `z', x='y`,
    `z', client_secret='X`,
    '%s',
    '?',
    '$1',
    'a,b,"c"',
    '\\',
    '{"a":1}',
    'null',
    '👩‍👩‍👧 𝒜',
    'مرحبا‏ שלום',
    'é ṩ ǆ',
    'İ ı ſ ß ΑΣ',
    ' spaces ',
    '\u2028\ufeff\ufffd',
    '--;drop table tokens;/*',
    'constructor',
    '__proto__',
  ]

  test.each(VALUES)('%j is stored and found as it is, in every field', async (value) => {
    const secrets = { client_secret: value, refresh_token: value, grant_token: value, access_token: value }
    const texts = { user_name: value, client_id: value, scope: value, redirect_url: value, provider: value }
    const { status, body } = await vault.save({ ...secrets, ...texts })
    expect(status).toBe(201)
    for (const partial of [
      { user_name: value },
      { access_token: value },
      { grant_token: value },
      { refresh_token: value, client_id: value, provider: value },
    ]) {
      expect((await vault.find(partial)).body).toMatchObject({ id: body.id, ...secrets, ...texts })
    }
    const listed = await vault.call(
      'GET',
      `/v1/tokens?${new URLSearchParams({ user_name: value, client_id: value, provider: value }).toString()}`,
    )
    expect(listed.body.tokens?.map(({ id }) => id)).toEqual([body.id])
  })

  test('none of them finds what another one names', async () => {
    for (const value of VALUES) await vault.save({ user_name: value, client_id: value, access_token: value })
    for (const value of VALUES) expect((await vault.find({ access_token: value })).body.user_name).toBe(value)
  })

  test('a user is found by every form of the same letters', async () => {
    await vault.save({ id: 'a', user_name: 'Zoë.Ångström'.normalize('NFD'), access_token: 't' })
    expect(await found({ user_name: 'ZOË.ÅNGSTRÖM'.normalize('NFC') })).toBe('a')
    expect((await vault.find({ id: 'a' })).body.user_name).toBe('Zoë.Ångström'.normalize('NFD'))
  })
})

describe('a fresh access token', () => {
  test('is what a token has that lives long enough', async () => {
    await vault.save({
      id: 'a',
      access_token: 't',
      expires_at: LATER,
      scope: 'x',
      api_domain: 'https://www.zohoapis.eu',
      user_name: 'ann',
      client_secret: 's',
    })
    for (const { status, body } of [
      await vault.call('GET', '/v1/tokens/a/access-token'),
      await vault.call('GET', '/v1/tokens/a/access-token?min_ttl=3600'),
      await vault.call('POST', '/v1/access-token', { user_name: 'ann' }),
    ]) {
      expect(status).toBe(200)
      expect(body).toEqual({
        access_token: 't',
        token_type: 'Bearer',
        expires_at: LATER,
        expires_in: expect.any(Number) as number,
        scope: 'x',
        api_domain: 'https://www.zohoapis.eu',
        id: 'a',
      })
    }
  })

  test('is the one with some life left where it cannot be renewed', async () => {
    await vault.save({ id: 'a', access_token: 't', expires_in: 100 })
    for (const path of ['/v1/tokens/a?min_ttl=3600', '/v1/tokens/a/access-token?min_ttl=3600']) {
      expect((await vault.call('GET', path)).body).toMatchObject({ id: 'a', access_token: 't' })
    }
    expect((await vault.find({ id: 'a', min_ttl: 3600 })).status).toBe(200)
  })

  test('cannot be had where none lives and there is nothing to renew it with', async () => {
    const expired = (access_token: string) => ({ access_token, expires_at: '2020-01-01T00:00:00Z' })
    await vault.save({ id: 'no-refresh-token', client_id: 'app', ...expired('1') })
    await vault.save({ id: 'no-client', refresh_token: 'r', ...expired('2') })
    const unheard = { client_id: 'app', provider: 'unheard', refresh_token: 'r2' }
    await vault.save({ id: 'no-provider', ...unheard, ...expired('3') })
    await vault.save({ id: 'no-token', grant_token: 'g' })
    for (const id of ['no-refresh-token', 'no-client', 'no-provider', 'no-token']) {
      for (const answer of [
        await vault.find({ id, min_ttl: 0 }),
        await vault.call('GET', `/v1/tokens/${id}?min_ttl=1`),
        await vault.call('GET', `/v1/tokens/${id}/access-token`),
        await vault.call('POST', `/v1/tokens/${id}/refresh`),
      ]) {
        expect([answer.status, answer.body.code]).toEqual([409, 'not_refreshable'])
      }
      expect((await vault.call('GET', `/v1/tokens/${id}`)).status).toBe(200)
    }
  })

  test('cannot be had where the provider has refused the refresh token for good', async () => {
    await vault.save({
      id: 'a',
      client_id: 'app',
      refresh_token: 'r',
      access_token: 't',
      expires_at: '2020-01-01T00:00:00Z',
    })
    await database.query(
      `update tokens set status = 'reauth_required', error_code = 'reauth_required', error_detail = 'refused', error_at = now(), error_attempts = 1`,
    )
    for (const path of ['/v1/tokens/a?min_ttl=1', '/v1/tokens/a/access-token']) {
      const { status, body } = await vault.call('GET', path)
      expect([status, body.code]).toEqual([409, 'reauth_required'])
    }
    expect((await vault.call('POST', '/v1/tokens/a/refresh')).body.code).toBe('reauth_required')
  })
})

import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import { httpAnswer, startAnswering } from './local-server.ts'
import { ACME, answered, over, refreshOf } from './recorded.ts'

test('providers are found by name, or not at all', () => {
  const { providers } = over(answered({}))
  expect(providers.find('zoho')?.name).toBe('zoho')
  expect(providers.find('acme')?.timeoutSeconds).toBe(20)
  expect(providers.find('constructor')).toBeNull()
  expect(providers.all().map(({ name }) => name)).toContain('acme')
})

test('only Zoho has API domains to choose from', () => {
  const { providers } = over(answered({}))
  expect(providers.apiDomains('zoho')).toHaveLength(30)
  expect(providers.apiDomains('zoho')).toContain('https://developer.zohoapis.com.au')
  expect(providers.apiDomains('acme')).toBeNull()
  expect(providers.apiDomains('nobody')).toBeNull()
})

describe('a refresh', () => {
  test('is a form to the endpoint of the provider, by its time limit and its client authentication', async () => {
    const { posts, providers } = over(answered({ access_token: 'a' }))
    const request = refreshOf({ provider: 'acme', apiDomain: 'https://api.acme.example' })
    await providers.refresh(request)
    expect(posts).toEqual([
      {
        url: 'https://login.acme.example/token',
        form: { grant_type: 'refresh_token', refresh_token: request.refreshToken },
        client: { id: 'client', secret: request.clientSecret, auth: 'basic' },
        privateNetwork: false,
        timeoutMs: 20_000,
        sendBeforeMs: request.sendBeforeMs,
      },
    ])
  })

  test.each([
    [null, 'https://accounts.zoho.com/oauth/v2/token'],
    ['https://sandbox.zohoapis.jp', 'https://accounts.zoho.jp/oauth/v2/token'],
  ])('of a token of %s goes to %s', async (apiDomain, url) => {
    const { posts, providers } = over(answered({ access_token: 'a' }))
    await providers.refresh(refreshOf({ apiDomain }))
    expect(posts.map((post) => post.url)).toEqual([url])
  })

  test.each([
    ['unknown_provider', 'misconfigured', { provider: 'nobody' }],
    ['unknown_api_domain', 'data_centre_unknown', { apiDomain: 'https://www.zohoapis.mars' }],
  ])('goes nowhere: %s', async (error, kind, overrides) => {
    const { posts, providers } = over(answered({}))
    expect(await providers.refresh(refreshOf(overrides))).toEqual({ kind, error })
    expect(posts).toEqual([])
  })

  test.each([
    ['unreadable', { kind: 'unreadable', error: 'redirect' }, { kind: 'nonsense', error: 'redirect' }],
    [
      'unsent',
      { kind: 'failed', error: 'too_late', sent: false },
      { kind: 'unavailable', error: 'too_late', sent: false },
    ],
    [
      'lost',
      { kind: 'failed', error: 'timeout', sent: true },
      { kind: 'unavailable', error: 'timeout', sent: true },
    ],
  ] as const)('without an answer says so: %s', async (_, reply, outcome) => {
    expect(await over(reply).providers.refresh(refreshOf())).toEqual(outcome)
  })

  test('may bring back the refresh token that it was sent', async () => {
    const { providers } = over(answered({ access_token: 'a', refresh_token: 'refresh' }))
    const outcome = await providers.refresh(refreshOf())
    expect(outcome.kind === 'renewed' && outcome.refreshToken?.reveal()).toBe('refresh')
  })

  test('reads a Retry-After by the clock that it is given', async () => {
    const { providers } = over(answered({ error: 'Access Denied' }, 'Fri, 02 Jan 2026 03:05:05 GMT'))
    expect(await providers.refresh(refreshOf())).toMatchObject({ kind: 'throttled', retryAfterSeconds: 60 })
  })
})

describe('the data centre of a token', () => {
  test('may be another one where it was only assumed', async () => {
    const { providers } = over(answered({ error: 'invalid_code' }))
    expect(await providers.refresh(refreshOf())).toEqual({
      kind: 'data_centre_unknown',
      error: 'invalid_code',
    })
  })

  test('is the right one where the token names it', async () => {
    const { providers } = over(answered({ error: 'invalid_code' }))
    const outcome = await providers.refresh(refreshOf({ apiDomain: 'https://www.zohoapis.eu' }))
    expect(outcome).toEqual({ kind: 'dead', error: 'invalid_code' })
  })

  test('is no matter for a provider that has none', async () => {
    const { providers } = over(answered({ error: 'invalid_code' }))
    expect(await providers.refresh(refreshOf({ provider: 'acme' }))).toMatchObject({ kind: 'dead' })
  })

  test.each([
    ['zoho', 'https://www.zohoapis.eu', 'https://www.zohoapis.eu'],
    ['zoho', 'https://www.zohoapis.mars', null],
    ['acme', 'https://eu.acme.example', 'https://eu.acme.example'],
  ])('of %s is learnt from the answer, where it can be reached: %s', async (provider, apiDomain, learnt) => {
    const { providers } = over(answered({ access_token: 'a', api_domain: apiDomain }))
    expect(await providers.refresh(refreshOf({ provider }))).toMatchObject({
      kind: 'renewed',
      apiDomain: learnt,
    })
  })
})

test('a token of a data centre of the file is renewed there', async () => {
  const server = await startAnswering(httpAnswer('{"access_token":"new","expires_in":3600}'))
  const origin = `http://127.0.0.1:${server.port}`
  const stub = { name: 'stub', api_domain: origin, accounts_url: origin }
  const providers = createProviders(loadProviders({ providers: [{ name: 'zoho', data_centres: [stub] }] }))
  const outcome = await providers.refresh(refreshOf({ apiDomain: origin }))
  expect(outcome).toMatchObject({ kind: 'renewed', expiresInSeconds: 3600, refreshToken: null })
  expect(outcome.kind === 'renewed' && outcome.accessToken.reveal()).toBe('new')
  expect(server.received()).toMatch(/^POST \/oauth\/v2\/token /)
  expect(server.received()).toContain('grant_type=refresh_token&refresh_token=refresh&client_id=client')
})

const code = {
  clientId: 'client',
  clientSecret: new Secret('secret'),
  code: new Secret('code'),
  codeVerifier: null,
  redirectUrl: null,
  apiDomain: null,
  sendBeforeMs: 1,
}

describe('an exchange', () => {
  test('goes to the token endpoint with what it was given, and nothing else', async () => {
    const { posts, providers } = over(answered({ access_token: 'a' }))
    const bound = { codeVerifier: new Secret('verifier'), redirectUrl: 'https://app.example' }
    expect((await providers.exchange({ ...code, provider: 'acme' })).kind).toBe('renewed')
    await providers.exchange({ ...code, ...bound, provider: 'zoho', apiDomain: 'https://www.zohoapis.eu' })
    expect(posts).toMatchObject([
      { url: ACME.token_url, client: { id: 'client', auth: 'basic' }, timeoutMs: 20_000, sendBeforeMs: 1 },
      { url: 'https://accounts.zoho.eu/oauth/v2/token', client: { auth: 'body' }, timeoutMs: 10_000 },
    ])
    expect(posts.map(({ form }) => ({ ...form }))).toEqual([
      { grant_type: 'authorization_code', code: code.code },
      {
        grant_type: 'authorization_code',
        code: code.code,
        redirect_uri: bound.redirectUrl,
        code_verifier: bound.codeVerifier,
      },
    ])
  })

  test('that Zoho refuses without an API domain may belong to another data centre', async () => {
    const { providers } = over(answered({ error: 'invalid_code' }))
    const kindAt = async (apiDomain: string | null) =>
      (await providers.exchange({ ...code, provider: 'zoho', apiDomain })).kind
    expect(await kindAt(null)).toBe('data_centre_unknown')
    expect(await kindAt('https://www.zohoapis.com')).toBe('dead')
  })
})

describe('a revocation', () => {
  const request = { ...code, token: new Secret('token'), kind: 'refresh_token' as const }

  test('takes the form of RFC 7009 and the client, of Zoho the token alone', async () => {
    const { posts, providers } = over(answered({}))
    const revoke = (given: { provider: string; clientId?: null }) =>
      providers.revocation({ ...request, ...given })?.(7)
    for (const provider of ['google', 'xero', 'zoho'])
      expect(await revoke({ provider })).toEqual({ kind: 'revoked', answer: 'ok' })
    await revoke({ provider: 'google', clientId: null })
    expect(posts.map(({ sendBeforeMs }) => sendBeforeMs)).toEqual([7, 7, 7, 7])
    expect(posts.map(({ url, client: { auth } }) => [url, auth])).toEqual([
      ['https://oauth2.googleapis.com/revoke', 'body'],
      ['https://identity.xero.com/connect/revocation', 'basic'],
      ['https://accounts.zoho.com/oauth/v2/token/revoke', 'none'],
      ['https://oauth2.googleapis.com/revoke', 'none'],
    ])
    expect(posts.map(({ form }) => Object.keys(form).join(' '))).toEqual([
      'token token_type_hint',
      'token token_type_hint',
      'token',
      'token token_type_hint',
    ])
    // A caller waits for it: a provider that rotates gets no 45 s.
    expect(posts.map(({ timeoutMs }) => timeoutMs)).toEqual([10_000, 10_000, 10_000, 10_000])
  })

  test('is not sent to a provider that cannot, or is not known', () => {
    const { posts, providers } = over(answered({}))
    for (const provider of ['github', 'acme', 'nowhere']) {
      expect(providers.revocation({ ...request, provider })).toBeNull()
    }
    expect(posts).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import type { RefreshRequest } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { FormPost } from '../../src/providers/form-sender.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import type { Reply } from '../../src/providers/read-answer.ts'
import { httpAnswer, startAnswering } from './local-server.ts'

const NOW = new Date('2026-01-02T03:04:05.000Z')
const ACME = {
  name: 'acme',
  token_url: 'https://login.acme.example/token',
  client_auth: 'basic',
  timeout: 20,
}

function refreshOf(overrides: Partial<RefreshRequest> = {}): RefreshRequest {
  return {
    provider: 'zoho',
    clientId: 'client',
    clientSecret: new Secret('secret'),
    refreshToken: new Secret('refresh'),
    apiDomain: null,
    sendBeforeMs: performance.now() + 5000,
    ...overrides,
  }
}

/** The providers over a sender that only notes down what it is to send. */
function over(reply: Reply) {
  const posts: FormPost[] = []
  const send = (post: FormPost) => {
    posts.push(post)
    return Promise.resolve(reply)
  }
  const providers = createProviders(loadProviders({ providers: [ACME] }), { send, now: () => NOW })
  return { posts, providers }
}

const answered = (body: object, retryAfter: string | null = null): Reply => ({
  kind: 'answered',
  status: 200,
  retryAfter,
  body: JSON.stringify(body),
})

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
    ['unknown_provider', { provider: 'nobody' }],
    ['unknown_api_domain', { apiDomain: 'https://www.zohoapis.mars' }],
  ])('goes nowhere: %s', async (error, overrides) => {
    const { posts, providers } = over(answered({}))
    expect(await providers.refresh(refreshOf(overrides))).toEqual({ kind: 'misconfigured', error })
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

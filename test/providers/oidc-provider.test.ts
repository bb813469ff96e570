import { describe, expect, test } from 'vitest'
import type { RefreshOutcome } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import type { OidcClient } from '../support/oidc-provider.ts'
import { startOidcProvider } from '../support/oidc-provider.ts'

const POST: OidcClient = { id: 'post:er', secret: "p+%25 &=/?:'~", auth: 'body' }
const BASIC: OidcClient = { id: 'ba:sic+1', secret: 's%3A:+ &=/?"~', auth: 'basic' }

/** The provider, and a renewal there as the vault does it for this client. */
async function setUp(client: OidcClient) {
  const oidc = await startOidcProvider(client)
  const providers = createProviders(loadProviders({ providers: [oidc.entry(client)] }))
  const refresh = (refreshToken: string, as: Partial<OidcClient> = {}) =>
    providers.refresh({
      ...identityOf({ ...client, ...as }),
      refreshToken: new Secret(refreshToken),
      apiDomain: null,
      ...soon(),
    })
  return { oidc, providers, refresh, refreshToken: await oidc.issueRefreshToken({ client }) }
}

const identityOf = ({ id, secret }: OidcClient) => ({
  provider: 'oidc',
  clientId: id,
  clientSecret: new Secret(secret),
})

const soon = () => ({ cannotWait: false, sendBeforeMs: performance.now() + 20_000 })

function renewed(outcome: RefreshOutcome): string {
  if (outcome.kind !== 'renewed') throw new Error(`It was ${outcome.kind}: ${outcome.error}`)
  return outcome.refreshToken?.reveal() ?? ''
}

describe.each([POST, BASIC])('oidc-provider with a client of $auth', (client) => {
  test('renews and rotates, again and again, for a client that needs escaping', async () => {
    const { oidc, refresh, refreshToken } = await setUp(client)
    const first = await refresh(refreshToken)
    expect(first).toMatchObject({
      kind: 'renewed',
      expiresInSeconds: 300,
      tokenType: 'Bearer',
      scope: 'openid offline_access',
    })
    const second = await refresh(renewed(first))
    expect(new Set([refreshToken, renewed(first), renewed(second)]).size).toBe(3)
    expect(await oidc.knows(renewed(second))).toBe(true)
    const isBasic = oidc.authorizations().map((header) => header?.startsWith('Basic ') ?? false)
    expect(isBasic).toEqual([client.auth === 'basic', client.auth === 'basic'])
  })

  test('calls a replaced refresh token dead, and revokes the family', async () => {
    const { oidc, refresh, refreshToken } = await setUp(client)
    const next = renewed(await refresh(refreshToken))
    const dead = { kind: 'dead', error: 'invalid_grant' }
    expect(await refresh(refreshToken)).toEqual(dead)
    expect(await oidc.knows(next)).toBe(false)
    expect(await refresh(next)).toEqual(dead)
  })

  test.each([
    ['client', { id: 'nobody' }],
    ['secret', { secret: 'wrong' }],
  ])('refuses another %s, which is not the fault of the token', async (_, as) => {
    const { oidc, refresh, refreshToken } = await setUp(client)
    expect(await refresh(refreshToken, as)).toEqual({ kind: 'client_refused', error: 'invalid_client' })
    expect(await oidc.knows(refreshToken)).toBe(true)
  })
})

test.each([POST, BASIC])('a refresh token that a client of $auth has revoked is dead', async (client) => {
  const { oidc, providers, refresh, refreshToken } = await setUp(client)
  const request = {
    ...identityOf(client),
    token: new Secret(refreshToken),
    kind: 'refresh_token' as const,
    apiDomain: null,
  }
  expect(await providers.revocation(request)?.(soon().sendBeforeMs)).toEqual({
    kind: 'revoked',
    answer: 'ok',
  })
  expect(await oidc.knows(refreshToken)).toBe(false)
  expect(await refresh(refreshToken)).toEqual({ kind: 'dead', error: 'invalid_grant' })
})

test('a refresh token that has expired or that never was is dead', async () => {
  const { oidc, refresh } = await setUp(POST)
  const expired = await oidc.issueRefreshToken({ client: POST, expiredForSeconds: 60 })
  for (const token of [expired, 'never-issued']) {
    expect(await refresh(token)).toEqual({ kind: 'dead', error: 'invalid_grant' })
  }
})

test('a refresh token of another client is dead', async () => {
  const oidc = await startOidcProvider(POST, BASIC)
  const providers = createProviders(loadProviders({ providers: [oidc.entry(POST)] }))
  const outcome = await providers.refresh({
    ...identityOf(POST),
    refreshToken: new Secret(await oidc.issueRefreshToken({ client: BASIC })),
    apiDomain: null,
    ...soon(),
  })
  expect(outcome).toEqual({ kind: 'dead', error: 'invalid_grant' })
})

test('a code with PKCE is traded once, with its verifier', async () => {
  const { oidc, providers } = await setUp(POST)
  const { code, codeVerifier, redirectUri: redirectUrl } = await oidc.issueCode({ client: POST })
  const trade = (verifier: string) => {
    const request = {
      code: new Secret(code),
      codeVerifier: new Secret(verifier),
      redirectUrl,
      apiDomain: null,
    }
    return providers.exchange({ ...identityOf(POST), ...request, ...soon() })
  }
  const dead = { kind: 'dead', error: 'invalid_grant' }
  expect(await trade('x'.repeat(43))).toEqual(dead)
  expect(await oidc.knows(renewed(await trade(codeVerifier)))).toBe(true)
  expect(await trade(codeVerifier)).toEqual(dead)
})

import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClientMetadata } from 'oidc-provider'
import { Provider } from 'oidc-provider'
import { onTestFinished } from 'vitest'

/** A client of the provider; ids and secrets may need escaping. */
export interface OidcClient {
  id: string
  secret: string
  auth: 'body' | 'basic'
}

interface Issued {
  client: OidcClient
  user?: string
  /** How long ago it ran out; absent for one that lives. */
  expiredForSeconds?: number
}

export interface OidcProvider {
  tokenUrl: string
  revokeUrl: string
  /** The entry that an operator would write for it. */
  entry(client: OidcClient): object
  /** An authorization code with PKCE, as after a sign-in. */
  issueCode(of: Issued): Promise<{ code: string; codeVerifier: string; redirectUri: string }>
  /** A refresh token, as after an exchange. */
  issueRefreshToken(of: Issued): Promise<string>
  /** Lives this refresh token still? A replaced one does not. */
  knows(refreshToken: string): Promise<boolean>
  /** The Authorization headers of the requests so far; null for one without. */
  authorizations(): (string | null)[]
}

const REDIRECT_URI = 'https://app.example/callback'
const SCOPE = 'openid offline_access'

/** The OpenID-certified `oidc-provider` with rotating refresh tokens, on loopback, closed with the test. */
export async function startOidcProvider(...clients: OidcClient[]): Promise<OidcProvider> {
  const authorizations: (string | null)[] = []
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = createProvider(issuer, clients)
  const handle = provider.callback()
  server.on('request', (request, response) => {
    authorizations.push(request.headers.authorization ?? null)
    void handle(request, response)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const grantFor = async ({ client, user = 'anna', expiredForSeconds }: Issued) => {
    const grant = new provider.Grant({ accountId: user, clientId: client.id })
    grant.addOIDCScope(SCOPE)
    const grantId = await grant.save()
    const registered = await provider.Client.find(client.id)
    if (registered === undefined) throw new Error(`There is no client ${client.id}.`)
    const ended = expiredForSeconds !== undefined && {
      exp: Math.floor(Date.now() / 1000) - expiredForSeconds,
    }
    return { accountId: user, client: registered, grantId, scope: SCOPE, gty: 'authorization_code', ...ended }
  }
  return {
    tokenUrl: `${issuer}/token`,
    revokeUrl: `${issuer}/token/revocation`,
    entry: ({ auth }) => ({
      name: 'oidc',
      token_url: `${issuer}/token`,
      revoke_url: `${issuer}/token/revocation`,
      client_auth: auth,
      rotates: 'always',
    }),
    async issueCode(of) {
      const codeVerifier = randomBytes(32).toString('base64url')
      const code = new provider.AuthorizationCode({
        ...(await grantFor(of)),
        redirectUri: REDIRECT_URI,
        codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url'),
        codeChallengeMethod: 'S256',
      })
      return { code: await code.save(), codeVerifier, redirectUri: REDIRECT_URI }
    },
    async issueRefreshToken(of) {
      return new provider.RefreshToken({ ...(await grantFor(of)), rotations: 0 }).save()
    },
    async knows(refreshToken) {
      const found = await provider.RefreshToken.find(refreshToken)
      return found !== undefined && found.consumed === undefined
    },
    authorizations: () => authorizations,
  }
}

function createProvider(issuer: string, clients: OidcClient[]): Provider {
  return new Provider(issuer, {
    clients: clients.map(toMetadata),
    scopes: SCOPE.split(' '),
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, RefreshToken: 3600 },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    cookies: { keys: ['of a test'] },
  })
}

function toMetadata({ id, secret, auth }: OidcClient): ClientMetadata {
  return {
    client_id: id,
    client_secret: secret,
    token_endpoint_auth_method: auth === 'basic' ? 'client_secret_basic' : 'client_secret_post',
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }
}

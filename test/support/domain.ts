import { emptyToken } from '../../src/domain/merge.ts'
import type { Provider } from '../../src/domain/provider.ts'
import type { Candidate, SaveRequest } from '../../src/domain/save.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Token } from '../../src/domain/token.ts'
import { userKeyOf } from '../../src/domain/token.ts'

/** Noon of a day in a world without wall clocks. */
export const NOON = new Date('2030-01-01T12:00:00.000Z')

export const inSeconds = (seconds: number) => new Date(NOON.getTime() + seconds * 1000)

export const ZOHO: Provider = {
  name: 'zoho',
  defaultLifetimeSeconds: 3600,
  rotates: 'never',
  reuseGraceSeconds: 0,
  limit: { count: 10, windowSeconds: 600 },
  minIntervalSeconds: 60,
  timeoutSeconds: 10,
}

const NOTHING: SaveRequest = {
  id: null,
  provider: null,
  userName: null,
  clientId: null,
  clientSecret: null,
  grantToken: null,
  refreshToken: null,
  accessToken: null,
  tokenType: null,
  scope: null,
  redirectUrl: null,
  apiDomain: null,
  expiresAt: null,
  expiresInSeconds: null,
}

const secret = (value: string | undefined) => (value === undefined ? null : new Secret(value))

/** A save in few words: secrets as plain text. */
export interface SaveWords extends Partial<
  Omit<SaveRequest, 'clientSecret' | 'grantToken' | 'refreshToken' | 'accessToken'>
> {
  clientSecret?: string
  grantToken?: string
  refreshToken?: string
  accessToken?: string
}

export function saveOf({
  clientSecret,
  grantToken,
  refreshToken,
  accessToken,
  ...plain
}: SaveWords): SaveRequest {
  return {
    ...NOTHING,
    ...plain,
    clientSecret: secret(clientSecret),
    grantToken: secret(grantToken),
    refreshToken: secret(refreshToken),
    accessToken: secret(accessToken),
  }
}

/** A stored token in few words. `was` are refresh tokens that it had, `replaced` access tokens of its renewals. */
export interface TokenWords extends Partial<
  Omit<Token, 'clientSecret' | 'grantToken' | 'refreshToken' | 'accessToken'>
> {
  id: string
  clientSecret?: string
  grantToken?: string
  refreshToken?: string
  accessToken?: string
  was?: string[]
  replaced?: string[]
}

export function tokenOf(words: TokenWords): Token {
  const { clientSecret, grantToken, refreshToken, accessToken } = words
  const plain = Object.fromEntries(
    Object.entries(words).filter(([key]) => key !== 'was' && key !== 'replaced'),
  )
  return {
    ...emptyToken('namespace', words.id, 'zoho', inSeconds(-3600)),
    ...plain,
    clientSecret: secret(clientSecret),
    grantToken: secret(grantToken),
    refreshToken: secret(refreshToken),
    accessToken: secret(accessToken),
  }
}

/** What the storage tells a save of the stored tokens that it meets. */
export function candidatesOf(save: SaveRequest, stored: TokenWords[]): Candidate[] {
  return stored.map((words) => candidateOf(save, words))
}

function candidateOf(save: SaveRequest, words: TokenWords): Candidate {
  const token = tokenOf(words)
  const { was = [], replaced = [] } = words
  const refresh = save.refreshToken?.reveal()
  const former = refresh !== undefined && was.includes(refresh)
  return {
    token,
    shares: {
      id: save.id === token.id,
      user_name:
        save.userName !== null &&
        token.userName !== null &&
        userKeyOf(save.userName) === userKeyOf(token.userName),
      grant_token: same(save.grantToken, token.grantToken),
      refresh_token: former || same(save.refreshToken, token.refreshToken),
      access_token: same(save.accessToken, token.accessToken),
    },
    formerRefreshToken: former,
    replacedAccessToken: save.accessToken !== null && replaced.includes(save.accessToken.reveal()),
  }
}

const same = (one: Secret | null, other: Secret | null) => one?.equals(other) ?? false

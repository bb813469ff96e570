import type { AccessToken, Token as WireToken } from '../contract/tokens.ts'
import type { Caller } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import type { Found, Reading } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { Ledger, Showing } from './ledger.ts'
import { FIELD_SCOPES } from './scopes.ts'

export interface TokenViewOptions {
  ledger: Ledger
  isRefreshable: (token: Token) => boolean
  /** False where only metadata was asked for. */
  secrets: boolean
}

/** Tokens as this caller may see them: a field that its key may not see is left out, and not even opened. */
export function tokenViews(caller: Caller, { tokens, now }: Found, options: TokenViewOptions): WireToken[] {
  const { ledger, secrets, isRefreshable } = options
  const disclosed = ledger.disclose(tokens.map((token) => showingOf(caller, token, secrets)))
  return tokens.map((token, index) => ({
    ...metadataOf({ token, now }, isRefreshable(token)),
    ...disclosed[index],
  }))
}

export function tokenView(caller: Caller, reading: Reading, options: TokenViewOptions): WireToken {
  const { ledger, secrets, isRefreshable } = options
  const [disclosed] = ledger.disclose([showingOf(caller, reading.token, secrets)])
  return { ...metadataOf(reading, isRefreshable(reading.token)), ...disclosed }
}

function showingOf(caller: Caller, token: Token, secrets: boolean): Showing {
  const visible = (field: keyof typeof FIELD_SCOPES) => secrets && allows(caller, FIELD_SCOPES[field])
  return {
    tokenId: token.id,
    secrets: {
      client_secret: visible('client_secret') ? token.clientSecret : null,
      refresh_token: visible('refresh_token') ? token.refreshToken : null,
      grant_token: visible('grant_token') ? token.grantToken : null,
      access_token: visible('access_token') ? token.accessToken : null,
    },
  }
}

function metadataOf({ token, now }: Reading, refreshable: boolean): WireToken {
  const { lastError } = token
  return {
    id: token.id,
    provider: token.provider,
    ...present({ user_name: token.userName, client_id: token.clientId }),
    ...present({
      token_type: token.tokenType,
      scope: token.scope,
      redirect_url: token.redirectUrl,
      api_domain: token.apiDomain,
    }),
    ...expiry({ token, now }),
    status: token.status,
    refreshable,
    ...instants({ refresh_due_at: token.refreshDueAt }),
    ...(lastError && { last_error: { ...lastError, at: lastError.at.toISOString() } }),
    version: token.version,
    created_at: token.createdAt.toISOString(),
    updated_at: token.updatedAt.toISOString(),
    ...instants({ refreshed_at: token.refreshedAt, last_used_at: token.lastUsedAt }),
  }
}

/** What RFC 6749 answers to a token request, and the id of the token. */
export function accessTokenView(reading: Reading, ledger: Ledger): AccessToken {
  const { token } = reading
  const [disclosed] = ledger.disclose([{ tokenId: token.id, secrets: { access_token: token.accessToken } }])
  return {
    access_token: disclosed?.['access_token'] ?? '',
    token_type: token.tokenType ?? 'Bearer',
    ...expiry(reading),
    ...present({ scope: token.scope, api_domain: token.apiDomain }),
    id: token.id,
  }
}

function expiry({ token: { expiresAt }, now }: Reading) {
  if (expiresAt === null) return {}
  const left = Math.floor((expiresAt.getTime() - now.getTime()) / 1000)
  return { expires_at: expiresAt.toISOString(), expires_in: Math.max(0, left) }
}

function present<Fields extends Record<string, string | null>>(
  fields: Fields,
): { [Name in keyof Fields]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as {
    [Name in keyof Fields]?: string
  }
}

function instants<Fields extends Record<string, Date | null>>(fields: Fields) {
  return present(
    Object.fromEntries(Object.entries(fields).map(([name, at]) => [name, at?.toISOString() ?? null])) as {
      [Name in keyof Fields]: string | null
    },
  )
}

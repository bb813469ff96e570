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

function metadataOf(reading: Reading, refreshable: boolean): WireToken {
  const { token } = reading
  const { lastError } = token
  const view: WireToken = {
    id: token.id,
    provider: token.provider,
    status: token.status,
    refreshable,
    version: token.version,
    created_at: token.createdAt.toISOString(),
    updated_at: token.updatedAt.toISOString(),
  }
  give(view, 'user_name', token.userName)
  give(view, 'client_id', token.clientId)
  give(view, 'token_type', token.tokenType)
  give(view, 'scope', token.scope)
  give(view, 'redirect_url', token.redirectUrl)
  give(view, 'api_domain', token.apiDomain)
  giveExpiry(view, reading)
  give(view, 'refresh_due_at', token.refreshDueAt)
  give(view, 'refreshed_at', token.refreshedAt)
  give(view, 'last_used_at', token.lastUsedAt)
  if (lastError !== null) view.last_error = { ...lastError, at: lastError.at.toISOString() }
  return view
}

/** What RFC 6749 answers to a token request, and the id of the token. */
export function accessTokenView(reading: Reading, ledger: Ledger): AccessToken {
  const { token } = reading
  const [disclosed] = ledger.disclose([{ tokenId: token.id, secrets: { access_token: token.accessToken } }])
  const view: AccessToken = {
    access_token: disclosed?.['access_token'] ?? '',
    token_type: token.tokenType ?? 'Bearer',
    id: token.id,
  }
  giveExpiry(view, reading)
  give(view, 'scope', token.scope)
  give(view, 'api_domain', token.apiDomain)
  return view
}

function giveExpiry(
  view: { expires_at?: string; expires_in?: number },
  { token: { expiresAt }, now }: Reading,
): void {
  if (expiresAt === null) return
  give(view, 'expires_at', expiresAt)
  view.expires_in = Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000))
}

/** Absent where there is nothing. */
function give<Name extends string>(
  view: Partial<Record<Name, string>>,
  name: Name,
  value: string | Date | null,
): void {
  if (value !== null) view[name] = typeof value === 'string' ? value : value.toISOString()
}

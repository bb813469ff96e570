import type { AccessToken, Token as WireToken } from '../contract/tokens.ts'
import type { Caller } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import type { Secret } from '../domain/secret.ts'
import type { Reading } from '../domain/token-store.ts'
import { FIELD_SCOPES } from './scopes.ts'

export interface TokenViewOptions {
  refreshable: boolean
  /** False where only metadata was asked for. */
  secrets: boolean
}

/** The token as this caller may see it: a field that its key may not see is left out, and not even opened. */
export function tokenView(caller: Caller, { token, now }: Reading, options: TokenViewOptions): WireToken {
  const visible = (field: keyof typeof FIELD_SCOPES, secret: Secret | null) =>
    secret !== null && options.secrets && allows(caller, FIELD_SCOPES[field])
      ? { [field]: secret.reveal() }
      : {}
  const { lastError } = token
  return {
    id: token.id,
    provider: token.provider,
    ...present({ user_name: token.userName, client_id: token.clientId }),
    ...visible('client_secret', token.clientSecret),
    ...visible('refresh_token', token.refreshToken),
    ...visible('grant_token', token.grantToken),
    ...visible('access_token', token.accessToken),
    ...present({
      token_type: token.tokenType,
      scope: token.scope,
      redirect_url: token.redirectUrl,
      api_domain: token.apiDomain,
    }),
    ...expiry({ token, now }),
    status: token.status,
    refreshable: options.refreshable,
    ...instants({ refresh_due_at: token.refreshDueAt }),
    ...(lastError && { last_error: { ...lastError, at: lastError.at.toISOString() } }),
    version: token.version,
    created_at: token.createdAt.toISOString(),
    updated_at: token.updatedAt.toISOString(),
    ...instants({ refreshed_at: token.refreshedAt, last_used_at: token.lastUsedAt }),
  }
}

/** What RFC 6749 answers to a token request, and the id of the token. */
export function accessTokenView(reading: Reading): AccessToken {
  const { token } = reading
  return {
    access_token: token.accessToken?.reveal() ?? '',
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

import type { AccessToken, Token as WireToken } from '../contract/tokens.ts'
import type { Caller } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import { willBeRenewedAt } from '../domain/life.ts'
import type { Secret } from '../domain/secret.ts'
import { secondsBetween } from '../domain/time.ts'
import type { Found, Reading } from '../domain/token-store.ts'
import type { LastError, Token } from '../domain/token.ts'
import type { Ledger, Showing } from './ledger.ts'
import { FIELD_SCOPES } from './route-rules.ts'

interface TokenViewOptions {
  ledger: Ledger
  isRefreshable: (token: Token) => boolean
}

/** A token as this caller may see it: a field that its key may not see is left out, and not even opened. */
export function tokenView(
  caller: Caller,
  reading: Reading,
  { ledger, isRefreshable }: TokenViewOptions,
): WireToken {
  const [disclosed] = ledger.disclose([showingOf(caller, reading.token)])
  return viewOf(reading, isRefreshable(reading.token), disclosed)
}

/** The same of many; without `secrets` only their metadata. */
export function tokenViews(
  caller: Caller,
  { tokens, now }: Found,
  { ledger, isRefreshable, secrets }: TokenViewOptions & { secrets: boolean },
): WireToken[] {
  const disclosed = secrets ? ledger.disclose(tokens.map((token) => showingOf(caller, token))) : []
  return tokens.map((token, index) => viewOf({ token, now }, isRefreshable(token), disclosed[index]))
}

function showingOf(caller: Caller, token: Token): Showing {
  const secrets: Record<string, Secret> = {}
  const show = (field: keyof typeof FIELD_SCOPES, secret: Secret | null) => {
    if (secret !== null && allows(caller, FIELD_SCOPES[field])) secrets[field] = secret
  }
  show('client_secret', token.clientSecret)
  show('refresh_token', token.refreshToken)
  show('grant_token', token.grantToken)
  show('access_token', token.accessToken)
  return { tokenId: token.id, secrets }
}

/** All fields of a view; one that may be absent, and is undefined, is absent in JSON. */
type Draft<View> = {
  [Field in keyof View]-?: object extends Pick<View, Field> ? View[Field] | undefined : View[Field]
}

function viewOf(
  { token, now }: Reading,
  refreshable: boolean,
  disclosed: Record<string, string> = {},
): WireToken {
  const view: Draft<WireToken> = {
    id: token.id,
    provider: token.provider,
    user_name: token.userName ?? undefined,
    client_id: token.clientId ?? undefined,
    client_secret: disclosed['client_secret'],
    refresh_token: disclosed['refresh_token'],
    grant_token: disclosed['grant_token'],
    access_token: disclosed['access_token'],
    token_type: token.tokenType ?? undefined,
    scope: token.scope ?? undefined,
    redirect_url: token.redirectUrl ?? undefined,
    api_domain: token.apiDomain ?? undefined,
    expires_at: token.expiresAt?.toISOString(),
    expires_in: secondsUntil(token.expiresAt, now),
    status: token.status,
    refreshable,
    refresh_due_at: refreshable ? willBeRenewedAt(token)?.toISOString() : undefined,
    last_error: errorView(token.lastError),
    version: token.version,
    created_at: token.createdAt.toISOString(),
    updated_at: token.updatedAt.toISOString(),
    refreshed_at: token.refreshedAt?.toISOString(),
    last_used_at: token.lastUsedAt?.toISOString(),
  }
  return view as WireToken
}

function errorView(error: LastError | null) {
  return error === null ? undefined : { ...error, at: error.at.toISOString() }
}

/** What RFC 6749 answers to a token request, and the id of the token. */
export function accessTokenView({ token, now }: Reading, ledger: Ledger): AccessToken {
  const secrets: Record<string, Secret> =
    token.accessToken === null ? {} : { access_token: token.accessToken }
  const [disclosed] = ledger.disclose([{ tokenId: token.id, secrets }])
  const view: Draft<AccessToken> = {
    access_token: disclosed?.['access_token'] ?? '',
    token_type: token.tokenType ?? 'Bearer',
    expires_in: secondsUntil(token.expiresAt, now),
    expires_at: token.expiresAt?.toISOString(),
    scope: token.scope ?? undefined,
    api_domain: token.apiDomain ?? undefined,
    id: token.id,
  }
  return view as AccessToken
}

function secondsUntil(moment: Date | null, now: Date): number | undefined {
  return moment === null ? undefined : Math.max(0, Math.floor(secondsBetween(now, moment)))
}

import type { PartialToken, Token, TokenToSave } from './types.ts'
import type { ZohoOAuthToken, ZohoSdk } from './zoho-sdk.ts'

export const PROVIDER = 'zoho'

/**
 * The SDK refreshes by itself when under 5 s are left. A token with less is the last that the vault could give, and
 * is used up: the SDK is told of this much life. It asks the store again at every call, so the figure is never
 * relied on later.
 */
const LEAST_SHOWN_LIFE_MS = 7_000

/** A token of the vault with the moment at which its access token expires, by the application's own clock. */
export interface VaultToken {
  token: Token
  /** Epoch milliseconds; null where unknown. */
  expiresAtMs: number | null
}

export function receivedAt(token: Token, nowMs: number): VaultToken {
  const expiresIn = token.expires_in ?? null
  return { token, expiresAtMs: expiresIn === null ? null : nowMs + expiresIn * 1000 }
}

/** The SDK leaves what is not given null, undefined or empty. */
const given = (value: string | null | undefined) => (value == null || value === '' ? undefined : value)

/** What a partial token names itself by, without what is absent. */
export function partialOf(token: ZohoOAuthToken): PartialToken {
  return withoutAbsent({
    id: token.getId(),
    user_name: token.getUserSignature()?.getName(),
    ...credentialsOf(token),
    access_token: token.getAccessToken(),
  })
}

/** What the SDK could log in with by itself: a refresh or grant token, with the client that it belongs to. */
export function credentialsOf(token: ZohoOAuthToken) {
  return withoutAbsent({
    client_id: token.getClientId(),
    grant_token: token.getGrantToken(),
    refresh_token: token.getRefreshToken(),
  })
}

/** The token as a save wants it; its expiry counted by the application's own clock. */
export function toSave(token: ZohoOAuthToken, nowMs: number): TokenToSave {
  return { ...fieldsOf(token), provider: PROVIDER, ...expiryOf(token, nowMs) }
}

function fieldsOf(token: ZohoOAuthToken): PartialToken & TokenToSave {
  return {
    ...partialOf(token),
    ...withoutAbsent({
      client_secret: token.getClientSecret(),
      redirect_url: token.getRedirectURL(),
      api_domain: token.getAPIDomain(),
    }),
  }
}

function expiryOf(token: ZohoOAuthToken, nowMs: number): { expires_in?: number } {
  const expiresAtMs = Number(given(token.getExpiresIn()) ?? NaN)
  if (given(token.getAccessToken()) === undefined || !Number.isFinite(expiresAtMs)) return {}
  return { expires_in: Math.max(0, Math.floor((expiresAtMs - nowMs) / 1000)) }
}

function withoutAbsent<Name extends string>(
  fields: Partial<Record<Name, string | null | undefined>>,
): Partial<Record<Name, string>> {
  const entries = Object.entries<string | null | undefined>(fields)
  return Object.fromEntries(entries.filter(([, value]) => given(value) !== undefined)) as Partial<
    Record<Name, string>
  >
}

/** Every field of a token in one text: equal texts, equal tokens. */
export function fingerprintOf(token: ZohoOAuthToken): string {
  return JSON.stringify([fieldsOf(token), given(token.getExpiresIn())])
}

/** Does the vault's token already say all that this one says? Its expiry goes with its access token. */
export function saysNothingNew(token: ZohoOAuthToken, stored: Token): boolean {
  return Object.entries(fieldsOf(token)).every(([name, value]) => stored[name as keyof Token] === value)
}

/** Writes what the vault has over what the SDK's object holds; what the vault keeps to itself stays as it is. */
export function merge<T extends ZohoOAuthToken>(
  sdk: ZohoSdk<T>,
  target: T,
  from: VaultToken,
  shownFromMs?: number,
): T {
  const { token } = from
  target.setId(token.id)
  if (token.user_name !== undefined) setUserName(sdk, target, token.user_name)
  if (token.client_id !== undefined) target.setClientId(token.client_id)
  if (token.client_secret !== undefined) target.setClientSecret(token.client_secret)
  if (token.refresh_token !== undefined) target.setRefreshToken(token.refresh_token)
  if (token.grant_token !== undefined) target.setGrantToken(token.grant_token)
  if (token.redirect_url !== undefined) target.setRedirectURL(token.redirect_url)
  if (token.api_domain !== undefined) target.setAPIDomain(token.api_domain)
  if (token.access_token !== undefined)
    setAccessToken(target, token.access_token, from.expiresAtMs, shownFromMs)
  return target
}

function setUserName<T extends ZohoOAuthToken>(sdk: ZohoSdk<T>, target: T, name: string): void {
  const set = target as unknown as { setUserSignature(signature: unknown): void }
  set.setUserSignature(new sdk.UserSignature(name))
}

function setAccessToken(
  target: ZohoOAuthToken,
  accessToken: string,
  expiresAtMs: number | null,
  fromMs = -Infinity,
): void {
  target.setAccessToken(accessToken)
  const shown = expiresAtMs === null ? null : String(Math.max(expiresAtMs, fromMs + LEAST_SHOWN_LIFE_MS))
  // The SDK itself has null for "unknown", which its types leave out.
  const set = target as { setExpiresIn(expiresIn: string | null): void }
  set.setExpiresIn(shown)
}

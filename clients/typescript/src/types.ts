import type { operations } from './wire.ts'

interface Json<T> {
  content: { 'application/json': T }
}
type Answer<O extends keyof operations> = operations[O] extends { responses: { 200: Json<infer T> } }
  ? T
  : never
type Body<O extends keyof operations> = operations[O] extends { requestBody?: Json<infer T> } ? T : never

/** A token as the vault answers it. Fields that the API key may not see are absent. */
export type Token = Answer<'getToken'>
/** What a save may bring; null and absent both mean "not given". Either `expires_at` or `expires_in` (seconds). */
export type TokenToSave = Body<'saveToken'>
/** What a find may name a token by. */
export type PartialToken = Omit<Body<'findToken'>, 'min_ttl'>
/** An access token with its expiry, and nothing else that is secret. */
export type AccessToken = Answer<'getAccessToken'>

/** An authorization code to trade at the provider, and what it was given for. */
export type CodeToExchange = Body<'exchangeCode'>

/** Which tokens to list or delete; every field given must match. */
export interface TokenFilter {
  user_name?: string | undefined
  client_id?: string | undefined
  provider?: string | undefined
  status?: Token['status'] | undefined
  /** Tokens whose access token expires before this moment: an RFC 3339 time or a Date. */
  expires_before?: string | Date | undefined
}

export interface ListOptions extends TokenFilter {
  /** Tokens a page, 1 to 1000; 100 by default. */
  limit?: number | undefined
  /** `secrets` adds the secrets that the API key may see. */
  include?: 'secrets' | undefined
}

export interface FreshOptions {
  /** Seconds of life that the access token is to have left; the vault renews it first if it must. */
  minTtl?: number | undefined
}

export interface SaveOptions {
  /** Save only while the token still has this version; else `version_mismatch`. */
  ifMatch?: number | undefined
}

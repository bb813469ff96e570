/**
 * What the adapter needs of Zoho's SDK. It is described here and not imported, so that the application's own copy
 * is the one used: the SDK takes only tokens of its own class.
 */
export interface ZohoOAuthToken {
  getId(): string | null
  setId(id: string | null): void
  getUserSignature(): { getName(): string } | null
  getClientId(): string | null
  setClientId(clientId: string): void
  getClientSecret(): string | null
  setClientSecret(clientSecret: string): void
  getRefreshToken(): string | null
  setRefreshToken(refreshToken: string | null): void
  getGrantToken(): string | null
  setGrantToken(grantToken: string | null): void
  getAccessToken(): string | null
  setAccessToken(accessToken: string | null): void
  getRedirectURL(): string | null
  setRedirectURL(redirectUrl: string | null): void
  getAPIDomain(): string | null
  setAPIDomain(apiDomain: string | null): void
  getExpiresIn(): string | null
  setExpiresIn(expiresIn: string): void
}

/**
 * The SDK's module, as `import * as sdk from '@zohocrm/…-sdk-8.0'` gives it. What the two SDKs say of the arguments of
 * their constructors differs, what they take does not.
 */
export interface ZohoSdk<T extends ZohoOAuthToken> {
  OAuthToken: new (...fields: never[]) => T
  UserSignature: new (name: string) => { getName(): string }
  SDKException: new (...facts: never[]) => { message: string }
  /** Holds the class that the Node.js SDK wants stores to extend; of the TypeScript SDK's interface nothing is left. */
  TokenStore?: { TokenStore?: new () => object }
}

/**
 * The SDK's TokenStore. Every method rejects with the SDK's own SDKException; its `code` is the vault's error code
 * (`reauth_required`, `insufficient_scope`, `unreachable`, …) and its `cause` the TokenVaultError.
 */
export interface ZohoTokenStore<T extends ZohoOAuthToken> {
  /** Merges what the vault has into `token`, whose own values yield, and resolves with it; null where it has none. */
  findToken(token: T): Promise<T | null>
  /** A new token of that id, fresh; an unknown id rejects with the code `TOKEN_STORE`, as in the SDK's own stores. */
  findTokenById(id: string): Promise<T>
  /** Saves and sets the id. Saving what came from the vault unchanged does nothing, with any key. */
  saveToken(token: T): Promise<void>
  /** Deletes it from the vault; an unknown id is no error. */
  deleteToken(id: string): Promise<void>
  /** All Zoho tokens of the key's namespace, as they are: not renewed for being listed. */
  getTokens(): Promise<T[]>
  /** Deletes all Zoho tokens of the key's namespace. */
  deleteTokens(): Promise<void>
  /** Revokes the refresh token at Zoho, then deletes the token. The SDK's own `token.revoke` does not work. */
  revoke(id: string): Promise<void>
}

import { createTokenVaultClient } from './client.ts'
import type { TokenVaultClientOptions } from './transport.ts'
import { VaultTokenStore } from './vault-token-store.ts'
import type { ZohoOAuthToken, ZohoSdk, ZohoTokenStore } from './zoho-sdk.ts'

export type { ZohoOAuthToken, ZohoSdk, ZohoTokenStore } from './zoho-sdk.ts'

export interface ZohoTokenStoreOptions extends TokenVaultClientOptions {
  /** Seconds of life that the SDK's access token is to have left when it is read from the vault; 60 by default. */
  minTtl?: number | undefined
  /** Seconds for which an access token is used without asking the vault again; 30 by default, 0 asks at each call. */
  cacheSeconds?: number | undefined
}

/** The same store as an instance of the SDK's own TokenStore. In the TypeScript SDK that is an interface: any will do. */
function asTokenStoreOf<T extends ZohoOAuthToken>(
  sdk: ZohoSdk<T>,
  store: ZohoTokenStore<T>,
): ZohoTokenStore<T> {
  const Base = sdk.TokenStore?.TokenStore
  if (Base === undefined) return store
  return new (class extends Base implements ZohoTokenStore<T> {
    findToken = (token: T) => store.findToken(token)
    findTokenById = (id: string) => store.findTokenById(id)
    saveToken = (token: T) => store.saveToken(token)
    deleteToken = (id: string) => store.deleteToken(id)
    getTokens = () => store.getTokens()
    deleteTokens = () => store.deleteTokens()
    revoke = (id: string) => store.revoke(id)
  })()
}

/**
 * Keeps the tokens of a Zoho CRM SDK in the token vault, which renews them: the SDK itself never needs to. `sdk` is
 * the module of the application's own `@zohocrm/typescript-sdk-8.0` or `@zohocrm/nodejs-sdk-8.0`.
 *
 * ```ts
 * import * as sdk from '@zohocrm/typescript-sdk-8.0'
 *
 * const store = createZohoTokenStore(sdk, { url: 'http://127.0.0.1:8080', apiKey })
 * const builder = await new sdk.InitializeBuilder()
 * await builder.environment(sdk.USDataCenter.PRODUCTION()).token(token).store(store).initialize()
 * ```
 *
 * An API key with only `tokens:use` is enough once a token is in the vault; the first login by a grant token also
 * needs `tokens:write`. While the vault is away, an access token that lives is used.
 */
export function createZohoTokenStore<T extends ZohoOAuthToken>(
  sdk: ZohoSdk<T>,
  options: ZohoTokenStoreOptions,
): ZohoTokenStore<T> {
  if (typeof (sdk as Partial<ZohoSdk<T>> | undefined)?.OAuthToken !== 'function') {
    throw new TypeError("Give createZohoTokenStore all of the SDK: import * as sdk from '@zohocrm/…-sdk-8.0'")
  }
  const { minTtl = 60, cacheSeconds = 30, ...clientOptions } = options
  const store = new VaultTokenStore(sdk, createTokenVaultClient(clientOptions), { minTtl, cacheSeconds })
  return asTokenStoreOf(sdk, store)
}

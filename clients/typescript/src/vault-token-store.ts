import type { TokenVaultClient } from './client.ts'
import { TokenVaultError } from './errors.ts'
import { FreshCache, keyOfId } from './fresh-cache.ts'
import type { FreshCachePolicy } from './fresh-cache.ts'
import type { PartialToken, Token } from './types.ts'
import { sdkException, toSdkException } from './zoho-errors.ts'
import type { NeededScope } from './zoho-errors.ts'
import * as mapping from './zoho-mapping.ts'
import type { VaultToken } from './zoho-mapping.ts'
import type { ZohoOAuthToken, ZohoSdk, ZohoTokenStore } from './zoho-sdk.ts'

/** Tokens on a page of a list. */
const MOST_AT_ONCE = 1000

const { PROVIDER } = mapping

/** The SDK's tokens as the vault has them; what it answered is kept for a while. */
export class VaultTokenStore<T extends ZohoOAuthToken> implements ZohoTokenStore<T> {
  readonly #sdk: ZohoSdk<T>
  readonly #vault: TokenVaultClient
  readonly #minTtl: number
  readonly #cache: FreshCache
  /** What each object said when the vault had just filled it. */
  #filled = new WeakMap<T, string>()

  constructor(sdk: ZohoSdk<T>, vault: TokenVaultClient, policy: FreshCachePolicy) {
    this.#sdk = sdk
    this.#vault = vault
    this.#minTtl = policy.minTtl
    this.#cache = new FreshCache(policy)
  }

  findToken(token: T): Promise<T | null> {
    return this.#guard('tokens:use', async () => {
      const partial = { provider: PROVIDER, ...mapping.partialOf(token) }
      try {
        const found = await this.#fresh(JSON.stringify(partial), () => this.#find(partial))
        return found && this.#fill(token, found)
      } catch (error) {
        if (await this.#canLogIn(token, error)) return null
        throw error
      }
    })
  }

  findTokenById(id: string): Promise<T> {
    return this.#guard('tokens:use', async () => {
      const found = await this.#fresh(keyOfId(id), () => this.#vault.get(id, { minTtl: this.#minTtl }))
      if (found === null)
        throw sdkException(this.#sdk, 'TOKEN_STORE', 'The token vault has no token with the given id')
      return this.#fill(this.#emptyToken(), found)
    })
  }

  saveToken(token: T): Promise<void> {
    return this.#guard('tokens:write', async () => {
      if (this.#cameFromTheVault(token)) return
      const saved = await this.#vault.save(mapping.toSave(token, Date.now()))
      this.#cache.drop(saved.id)
      token.setId(saved.id)
    })
  }

  deleteToken(id: string): Promise<void> {
    return this.#guard('tokens:delete', async () => {
      await this.#vault.delete(id).finally(() => {
        this.#forget(id)
      })
    })
  }

  getTokens(): Promise<T[]> {
    return this.#guard('tokens:use', async () => {
      const tokens: T[] = []
      const ours = { provider: PROVIDER, include: 'secrets', limit: MOST_AT_ONCE } as const
      for await (const token of this.#vault.list(ours)) {
        tokens.push(mapping.merge(this.#sdk, this.#emptyToken(), mapping.receivedAt(token, Date.now())))
      }
      return tokens
    })
  }

  deleteTokens(): Promise<void> {
    return this.#guard('tokens:delete', async () => {
      await this.#vault.deleteMany({ provider: PROVIDER }).finally(() => {
        this.#forget()
      })
    })
  }

  revoke(id: string): Promise<void> {
    return this.#guard('tokens:delete', async () => {
      await this.#vault.revoke(id).finally(() => {
        this.#forget(id)
      })
    })
  }

  #find(partial: PartialToken): Promise<Token | null> {
    return this.#vault.find(partial, { minTtl: this.#minTtl })
  }

  #fresh(key: string, read: () => Promise<Token | null>): Promise<VaultToken | null> {
    return this.#cache.get(key, async () => {
      const token = await read()
      if (token !== null) return mapping.receivedAt(token, Date.now())
      this.#filled = new WeakMap()
      return null
    })
  }

  #fill(target: T, found: VaultToken): T {
    mapping.merge(this.#sdk, target, found, Date.now())
    this.#filled.set(target, mapping.fingerprintOf(target))
    return target
  }

  #emptyToken(): T {
    const OAuthToken = this.#sdk.OAuthToken as new (...fields: null[]) => T
    return new OAuthToken(null, null, null, null, null, null, null, null)
  }

  #cameFromTheVault(token: T): boolean {
    if (this.#filled.get(token) === mapping.fingerprintOf(token)) return true
    const id = token.getId()
    const seen = id === null ? null : this.#cache.lastSeen(id)
    return seen !== null && mapping.saysNothingNew(token, seen.token)
  }

  #forget(id?: string): void {
    this.#cache.drop(id)
    this.#filled = new WeakMap()
  }

  /**
   * The vault cannot renew this token any more: may the SDK log in with what the application gave it? Only with
   * credentials that the vault has not seen fail, so that a dead refresh token is not tried at every call.
   */
  async #canLogIn(token: T, error: unknown): Promise<boolean> {
    if (!(error instanceof TokenVaultError)) return false
    const { client_id, ...credentials } = mapping.credentialsOf(token)
    if (client_id == null || Object.keys(credentials).length === 0) return false
    if (error.code !== 'reauth_required' && error.code !== 'not_refreshable') return false
    const stored = await this.#vault.find({ provider: PROVIDER, client_id, ...credentials })
    if (stored === null) return true
    // Known but never used: the vault lacks the client, or was given a grant token that nobody has traded yet.
    return (
      error.code === 'not_refreshable' && (credentials.refresh_token != null || stored.access_token == null)
    )
  }

  async #guard<R>(needed: NeededScope, action: () => Promise<R>): Promise<R> {
    try {
      return await action()
    } catch (error) {
      throw error instanceof TokenVaultError ? toSdkException(this.#sdk, error, needed) : error
    }
  }
}

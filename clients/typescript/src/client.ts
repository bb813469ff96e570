import type { ToldBy } from './answer.ts'
import { isNotFound } from './errors.ts'
import { agedBy, deleteManyPath, lifeWanted, listPath, tokenPath, withQuery } from './requests.ts'
import { Transport } from './transport.ts'
import type { TokenVaultClientOptions } from './transport.ts'
import type {
  AccessToken,
  CodeToExchange,
  FreshOptions,
  ListOptions,
  PartialToken,
  SaveOptions,
  Token,
  TokenFilter,
  TokenToSave,
} from './types.ts'

/**
 * One token vault, as one API key sees it. Every method rejects with a TokenVaultError, but with a TypeError
 * for an argument that can't be one. Reads, saves and deletes by id are tried again while the vault is away or
 * overloaded, within `retryForMs`; the rest is sent once.
 */
export interface TokenVaultClient {
  /** The token that a partial one names, or null where there is none. Several: `ambiguous_match` with their ids. */
  find(partial: PartialToken, options?: FreshOptions): Promise<Token | null>
  /** The token of an id, or null. */
  get(id: string, options?: FreshOptions): Promise<Token | null>
  /** Updates the token that this one matches, else adds it; resolves with the token as it now is. */
  save(token: TokenToSave, options?: SaveOptions): Promise<Token>
  /** Resolves with false where there was no such token, true where an attempt without an answer may have deleted it. */
  delete(id: string): Promise<boolean>
  /** Deletes all tokens that the filter passes, or none; resolves with their number. `{ all: true }` passes all. */
  deleteMany(filter: TokenFilter | { all: true }): Promise<number>
  /** Every token that the filter passes, fetched a page at a time. */
  list(options?: ListOptions): AsyncGenerator<Token, void, undefined>
  /** An access token with at least `minTtl` seconds left (60 by default), by id or by a partial token. */
  accessToken(idOrPartial: string | PartialToken, options?: FreshOptions): Promise<AccessToken>
  /** Renews now; resolves with the token. Rejects where the provider refuses or can't be reached. */
  refresh(id: string): Promise<Token>
  /** Trades an authorization code at the provider, once however often it is asked, and keeps the result. */
  exchange(code: CodeToExchange): Promise<Token>
  /** Revokes the refresh token at the provider, then deletes the token. Rejects, and deletes nothing, where it can't. */
  revoke(id: string): Promise<void>
}

/** Resolves with `absent` where the vault answers that there is no such token. */
async function unlessNotFound<T, A>(absent: A, ask: () => Promise<T>): Promise<T | A> {
  try {
    return await ask()
  } catch (error) {
    if (isNotFound(error)) return absent
    throw error
  }
}

class HttpTokenVaultClient implements TokenVaultClient {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async find(partial: PartialToken, options?: FreshOptions): Promise<Token | null> {
    const body = { ...partial, ...lifeWanted(options) }
    return unlessNotFound(null, () => this.#read<Token>('POST', '/v1/tokens/find', 'id', body))
  }

  async get(id: string, options?: FreshOptions): Promise<Token | null> {
    return unlessNotFound(null, () =>
      this.#read<Token>('GET', withQuery(tokenPath(id), lifeWanted(options)), 'id'),
    )
  }

  async save(token: TokenToSave, { ifMatch }: SaveOptions = {}): Promise<Token> {
    // Sent twice, a conditional save would fail for having succeeded.
    const condition = ifMatch === undefined ? {} : { headers: { 'if-match': `"${ifMatch}"` } }
    const body = (elapsedSeconds: number) => agedBy(token, elapsedSeconds)
    const call = { method: 'POST', path: '/v1/tokens', toldBy: 'id', body } as const
    return (await this.#transport.send({ ...call, ...condition, repeatable: ifMatch === undefined })) as Token
  }

  async delete(id: string): Promise<boolean> {
    return unlessNotFound(false, async () => {
      await this.#transport.send({ method: 'DELETE', path: tokenPath(id), toldBy: 204, repeatable: true })
      return true
    })
  }

  async deleteMany(filter: TokenFilter | { all: true }): Promise<number> {
    const call = { method: 'DELETE', toldBy: 'deleted', repeatable: false } as const
    const answer = await this.#transport.send({ ...call, path: deleteManyPath(filter) })
    return (answer as { deleted: number }).deleted
  }

  async *list(options: ListOptions = {}): AsyncGenerator<Token, void, undefined> {
    let cursor: string | undefined
    do {
      const page = await this.#read<{ tokens: Token[]; next_cursor?: string | null }>(
        'GET',
        listPath(options, cursor),
        'tokens',
      )
      yield* page.tokens
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
  }

  async accessToken(idOrPartial: string | PartialToken, options?: FreshOptions): Promise<AccessToken> {
    if (typeof idOrPartial === 'string') {
      const path = withQuery(`${tokenPath(idOrPartial)}/access-token`, lifeWanted(options))
      return this.#read('GET', path, 'access_token')
    }
    const body = { ...idOrPartial, ...lifeWanted(options) }
    return this.#read('POST', '/v1/access-token', 'access_token', body)
  }

  async refresh(id: string): Promise<Token> {
    return (await this.#sendOnce(`${tokenPath(id)}/refresh`, 'id')) as Token
  }

  async exchange(code: CodeToExchange): Promise<Token> {
    return (await this.#sendOnce('/v1/tokens/exchange', 'id', code)) as Token
  }

  async revoke(id: string): Promise<void> {
    await this.#sendOnce(`${tokenPath(id)}/revoke`, 204)
  }

  async #read<T>(method: 'GET' | 'POST', path: string, toldBy: ToldBy, body?: object): Promise<T> {
    const call = { method, path, toldBy, ...(body && { body: () => body }), repeatable: true }
    return (await this.#transport.send(call)) as T
  }

  #sendOnce(path: string, toldBy: ToldBy, body?: object): Promise<unknown> {
    return this.#transport.send({
      method: 'POST',
      path,
      toldBy,
      ...(body && { body: () => body }),
      repeatable: false,
    })
  }
}

/**
 * A client of the token vault at `url`.
 *
 * ```ts
 * const vault = createTokenVaultClient({ url: 'http://127.0.0.1:8080', apiKey })
 * const token = await vault.find({ user_name: 'ann@example.com:1' }, { minTtl: 60 })
 * ```
 *
 * Throws a TypeError for a url, an API key or a time limit that can't be one.
 */
export function createTokenVaultClient(options: TokenVaultClientOptions): TokenVaultClient {
  return new HttpTokenVaultClient(new Transport(options))
}

import { setTimeout as pause } from 'node:timers/promises'
import type { Token } from '../../src/contract/tokens.ts'
import type { FakeZoho } from './fake-zoho.ts'

type Kind = 'kept' | 'saved' | 'renewed'

interface Known {
  id: string
  kind: Kind
  user: { email: string; zgid: string }
  /** What the vault must give back; a renewed token's are the provider's to say. */
  values: Pick<Token, 'client_secret' | 'refresh_token' | 'access_token'>
}

const MOST_RENEWED = 500
const WORKERS = 12
const THINKING_MS = 20

/** Tokens of known values in a vault, and callers that read, save and renew them and note what comes back wrong. */
export class RotationLoad {
  readonly failures: string[] = []
  readonly done = { find: 0, save: 0, refresh: 0 }
  readonly tokens: Known[]
  readonly #zoho: FakeZoho
  readonly #apiKey: string
  #stopped = false
  #workers: Promise<void>[] = []

  constructor(count: number, zoho: FakeZoho, apiKey: string) {
    this.#zoho = zoho
    this.#apiKey = apiKey
    this.tokens = Array.from({ length: count }, (_, index) => this.#make(index))
  }

  /** Three of four are saved with values of their own, two of these never again; the provider renews the rest. */
  #make(index: number): Known {
    const kinds: Kind[] = ['kept', 'saved', index < MOST_RENEWED * 4 ? 'renewed' : 'kept', 'kept']
    const kind = kinds[index % 4] ?? 'kept'
    const user = { email: `user-${index}@example.com`, zgid: '1' }
    const renewed = kind === 'renewed'
    const values = {
      client_secret: renewed ? this.#zoho.client.secret : `secret-${index}`,
      refresh_token: renewed ? this.#zoho.refreshToken(user) : `refresh-${index}`,
      access_token: `access-${index}`,
    }
    return { id: `${kind}-${index}`, kind, user, values }
  }

  async fill(url: string): Promise<void> {
    const queue = this.tokens.values()
    const fill = async () => {
      for (const token of queue) {
        const expires_in = token.kind === 'renewed' ? 5 : 86_400
        const client = { provider: 'acme', client_id: this.#zoho.client.id }
        const body = { id: token.id, user_name: token.user.email, ...client, ...token.values, expires_in }
        await this.#call(url, 'POST', '/v1/tokens', body)
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, fill))
  }

  start(urls: string[]): void {
    this.#workers = Array.from({ length: WORKERS }, (_, worker) =>
      this.#work(
        urls[worker % urls.length] ?? '',
        this.tokens.filter((_token, index) => index % WORKERS === worker),
      ),
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
  }

  async #work(url: string, tokens: Known[]): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      const token = tokens[Math.floor(Math.random() * tokens.length)]
      if (token === undefined) return
      if (token.kind === 'saved') await this.#save(url, token, turn)
      if (token.kind === 'renewed' && turn % 2 === 0) {
        await this.#call(url, 'POST', `/v1/tokens/${token.id}/refresh`)
        this.done.refresh += 1
      }
      const found = await this.#call(url, 'POST', '/v1/tokens/find', { user_name: token.user.email })
      if (found !== null) this.check(token, found)
      this.done.find += 1
      await pause(THINKING_MS)
    }
  }

  async #save(url: string, token: Known, turn: number): Promise<void> {
    const values = { access_token: `access-${token.id}-${turn}`, client_secret: `secret-${token.id}-${turn}` }
    Object.assign(token.values, values)
    await this.#call(url, 'POST', '/v1/tokens', { id: token.id, ...values, expires_in: 86_400 })
    this.done.save += 1
  }

  /** Does the token bear its own values? */
  check(token: Known, found: Partial<Token>): void {
    const { client_secret, refresh_token, access_token } = found
    const same =
      token.kind === 'renewed'
        ? found.status === 'active' && client_secret === token.values.client_secret
        : JSON.stringify({ client_secret, refresh_token, access_token }) === JSON.stringify(token.values)
    if (!same) this.failures.push(`${token.id}: ${JSON.stringify(found)}`)
    const isProviders = access_token !== token.values.access_token
    if (token.kind === 'renewed' && isProviders && !this.#isOf(token, access_token ?? '')) {
      this.failures.push(`${token.id} has an access token of somebody else`)
    }
  }

  /** Access tokens that have run out are nobody's. */
  #isOf(token: Known, accessToken: string): boolean {
    const user = this.#zoho.grants.userOf(accessToken)
    return user === null || user.email === token.user.email
  }

  async #call(url: string, method: string, path: string, body?: object): Promise<Partial<Token> | null> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text) as Partial<Token>
    this.failures.push(`${method} ${path}: ${response.status} ${text}`)
    return null
  }
}

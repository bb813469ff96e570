import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { generateApiKey } from '../../src/domain/api-key.ts'
import type { TestDatabase } from './database.ts'
import { createTestDatabase } from './database.ts'
import { FakeZoho } from './fake-zoho.ts'
import { TcpProxy } from './tcp-proxy.ts'
import type { Answer, TestVault } from './vault.ts'
import { startVault } from './vault.ts'

/** The stand-in as Zoho, and as a provider without quirks that replaces refresh tokens where the test says so. */
function providersAt(url: string, zoho: object = {}, acme: object = {}): object {
  const site = { name: 'stand-in', api_domain: url, accounts_url: url }
  return {
    providers: [
      { name: 'zoho', default_data_centre: 'stand-in', data_centres: [site], ...zoho },
      {
        name: 'acme',
        token_url: `${url}/oauth/v2/token`,
        revoke_url: `${url}/oauth/v2/token/revoke`,
        ...acme,
      },
    ],
  }
}

export interface WorldOptions {
  /** Fields of the providers file. */
  zoho?: object
  acme?: object
  /** Where replicas have different ones, by the number of the replica. */
  acmeOf?: (replica: number) => object
  /** Vaults on the one database; one by default. */
  replicas?: number
  refresher?: 'on' | 'off'
}

/** Vaults on one database, the stand-in that they renew at, and what tests do to tokens. */
export class RenewalWorld {
  zoho!: FakeZoho
  /** Not through the proxy: what a test does to the database it can always do. */
  database!: TestDatabase
  /** Stands between the vaults and the database. */
  proxy!: TcpProxy
  vaults: TestVault[] = []

  get vault(): TestVault {
    const [first] = this.vaults
    if (first === undefined) throw new Error('no vault runs')
    return first
  }

  async open(options: WorldOptions): Promise<void> {
    this.zoho = await FakeZoho.start()
    this.database = await createTestDatabase()
    this.proxy = await TcpProxy.start(this.database.url)
    const env = {
      TOKEN_VAULT_BOOTSTRAP_KEY: generateApiKey('bootstrap'),
      TOKEN_VAULT_MASTER_KEYS: generateMasterKey('k1'),
      TOKEN_VAULT_REFRESHER: options.refresher ?? 'off',
    }
    const start = (replica: number) => {
      const acme = options.acmeOf?.(replica) ?? options.acme
      const providers = providersAt(this.zoho.url, options.zoho, acme)
      return startVault({ databaseUrl: this.proxy.url, env, providers })
    }
    // One after the other: it is the database that they share, not the work of starting.
    for (let count = 0; count < (options.replicas ?? 1); count += 1) this.vaults.push(await start(count))
  }

  async close(): Promise<void> {
    await Promise.all(this.vaults.map((vault) => vault.close()))
    await this.proxy.close()
    await this.database.drop()
    await this.zoho.close()
  }

  /** Forgets tokens, requests and trouble. */
  async reset(): Promise<void> {
    await this.database.query('delete from tokens')
    await this.database.query('delete from clients')
    await this.database.query('delete from exchanges')
    this.zoho.recover()
    this.zoho.calls.length = 0
    Object.assign(this.zoho.grants.policy, { lifetimeSeconds: 3600, rotates: false, limit: null })
  }

  /** A token with a refresh token that works, and an access token of `left` seconds. */
  async save(left: number, more: object = {}): Promise<Token> {
    const { status, body, text } = await this.vault.save({
      client_id: this.zoho.client.id,
      client_secret: this.zoho.client.secret,
      refresh_token: this.zoho.refreshToken(),
      access_token: `saved-${Math.random()}`,
      expires_in: left,
      api_domain: this.zoho.url,
      ...more,
    })
    if (status !== 201) throw new Error(`the save was answered ${status}: ${text}`)
    return body as Token
  }

  get requests(): number {
    return this.zoho.count('refresh')
  }

  async read(id: string): Promise<Token> {
    return (await this.vault.call('GET', `/v1/tokens/${id}`)).body as Token
  }

  refresh(id: string, vault = this.vault): Promise<Answer> {
    return vault.call('POST', `/v1/tokens/${id}/refresh`)
  }

  accessToken(id: string, vault = this.vault): Promise<Answer> {
    return vault.call('GET', `/v1/tokens/${id}/access-token`)
  }

  /** As if of a life of an hour only so much were left. */
  async leave(id: string, seconds: number): Promise<void> {
    await this.database.query(
      `update tokens set lifetime_seconds = 3600, expires_at = now() + $2 * interval '1 second' where id = $1`,
      [id, seconds],
    )
  }

  /** As if its access token had come to its end. */
  expire(id: string): Promise<void> {
    return this.leave(id, 0)
  }

  /** As if all that happened to it had happened so many seconds earlier; its access token keeps its expiry. */
  async age(id: string, seconds: number): Promise<void> {
    const back = `- interval '${seconds} seconds'`
    await this.database.query(
      `update tokens set refreshed_at = refreshed_at ${back}, retry_at = retry_at ${back}, lease_until = lease_until ${back},
        refresh_due_at = refresh_due_at ${back}, renewals = array(select at ${back} from unnest(renewals) as at)
      where id = $1`,
      [id],
    )
  }
}

/** A world for the tests of a file, without tokens at the start of each. */
export function useWorld(options: WorldOptions = {}): RenewalWorld {
  const world = new RenewalWorld()
  beforeAll(() => world.open(options))
  afterAll(() => world.close())
  beforeEach(() => world.reset())
  return world
}

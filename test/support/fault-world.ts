import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import type { TestDatabase } from './database.ts'
import { createTestDatabase } from './database.ts'
import { Fleet } from './fleet.ts'
import type { RenewalLedger } from './renewal-ledger.ts'
import { discrepancies, ledgerOf } from './renewal-ledger.ts'
import type { RotationPolicy } from './rotating-provider.ts'
import { RotatingProvider } from './rotating-provider.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { vaultSettings } from './vault-process.ts'

const SAVED_AT_ONCE = 10
const READERS = 4
const READ_EVERY_MS = 25
const LOOK_EVERY_MS = 20
const MOST_LOOKS = 100
/** An access token of the end lives longer than any test. */
const FOR_EVER_SECONDS = 86_400

const RENEWALS_A_SECOND = 12
const SHORTEST_LIFE_SECONDS = 8

interface FaultWorldOptions {
  tokens: number
  replicas: number
  /** So many of the tokens, or a few more, fall due each second. */
  renewalsASecond?: number
  policy: Partial<RotationPolicy>
  /** Fields of the provider's entry in the providers file. */
  entry: object
  /** Settings of the replicas. */
  env?: Record<string, string>
  /** Where the tokens are kept, where it is not a database of the run's common Postgres. */
  database?: TestDatabase
  /** Puts something between the replicas and the database. */
  reach?: (databaseUrl: string) => Promise<TcpProxy>
}

interface TokenPage {
  tokens: { user_name: string; refresh_token: string }[]
  next_cursor?: string
}

interface DeadToken {
  id: string
  family: number
  status: string
  detail: string | null
  /** Its last ones, which tell how it came to that. */
  claims: RenewalLedger['claims']
}

const TOLD_CLAIMS = 8

/** Replicas that keep the short-lived tokens of a rotating provider fresh, and readers who look at them. */
export class FaultWorld {
  readonly provider: RotatingProvider
  readonly database: TestDatabase
  readonly fleet: Fleet
  readonly proxy: TcpProxy | null
  #isRead = true
  #lifetimeSeconds = SHORTEST_LIFE_SECONDS
  #readers: Promise<unknown> = Promise.resolve()

  constructor(provider: RotatingProvider, database: TestDatabase, fleet: Fleet, proxy: TcpProxy | null) {
    this.provider = provider
    this.database = database
    this.fleet = fleet
    this.proxy = proxy
  }

  /** Saves so many tokens, and begins to read them. */
  async fill(tokens: number, renewalsASecond: number): Promise<void> {
    this.#lifetimeSeconds = Math.max(SHORTEST_LIFE_SECONDS, Math.ceil(tokens / renewalsASecond))
    this.provider.policy.lifetimeSeconds = () => this.#lifetimeSeconds
    await this.#save(tokens)
    this.#readers = Promise.all(Array.from({ length: READERS }, () => this.#read()))
  }

  /** Renewals that a replica has in flight, by the leases that it holds. */
  async inFlight(pid: number): Promise<number> {
    const [row] = await this.database.query<{ count: number }>(
      `select count(*)::int from tokens where lease_until > now() and lease_owner like $1`,
      [`%:${pid}:%`],
    )
    return row?.count ?? 0
  }

  /** The same as soon as there are so many of them, or after a while. */
  async untilInFlight(pid: number, least: number): Promise<number> {
    for (let looks = 1; ; looks += 1) {
      const count = await this.inFlight(pid)
      if (count >= least || looks === MOST_LOOKS) return count
      await pause(LOOK_EVERY_MS)
    }
  }

  /**
   * Lets every token come to rest: it has a last access token that lives on, and nothing of its renewal is in doubt, or it
   * is dead. Resolves with the dead.
   */
  async settle(): Promise<DeadToken[]> {
    this.provider.policy.lifetimeSeconds = () => FOR_EVER_SECONDS
    const restless = `select count(*)::int from tokens
      where lease_until is not null
        or (status <> 'reauth_required' and (lost_at is not null or expires_at < now() + interval '1 hour'))`
    await expect
      .poll(() => this.database.query(restless).catch(() => 'away'), {
        timeout: this.#lifetimeSeconds * 2_000 + 120_000,
        interval: 200,
      })
      .toEqual([{ count: 0 }])
    this.#isRead = false
    await this.#readers
    const dead = await this.database.query<Omit<DeadToken, 'claims'>>(
      `select id, user_name::int as family, status, error_detail as detail from tokens where status <> 'active'`,
    )
    const { claims } = await this.ledger()
    const byFamily = Map.groupBy(claims, ({ family }) => family)
    return dead.map((token) => ({ ...token, claims: byFamily.get(token.family)?.slice(-TOLD_CLAIMS) ?? [] }))
  }

  /** Families of tokens that are well in the vault, and whose refresh token is not the one that the provider takes. */
  async outOfStep(): Promise<number[]> {
    const lost: number[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const page = `include=secrets&status=active&limit=1000${cursor && `&cursor=${cursor}`}`
      const { tokens, next_cursor }: TokenPage = await this.#get(`/v1/tokens?${page}`)
      for (const { user_name, refresh_token } of tokens)
        if (!this.provider.isCurrent(refresh_token)) lost.push(Number(user_name))
      cursor = next_cursor
    }
    return lost
  }

  ledger(): Promise<RenewalLedger> {
    return ledgerOf(this.database, this.provider.log)
  }

  /** Where the provider's log and the vault's events disagree. */
  async discrepancies(): Promise<string[]> {
    return discrepancies(await this.ledger())
  }

  /** Families of which the provider has replaced the refresh token for a claim that was cut off. */
  async unheard(): Promise<number[]> {
    const { claims } = await this.ledger()
    return claims
      .filter(({ ends, presented }) => ends.includes('taken_over') && presented?.outcome === 'renewed')
      .map(({ family }) => family)
  }

  /** Seconds from each claim that was cut off to its take-over, the shortest first. */
  async takeOvers(): Promise<number[]> {
    const rows = await this.database.query<{ seconds: number }>(
      `select extract(epoch from at - (facts->>'claimed_at')::timestamptz)::float8 as seconds
        from events where type = 'renewal.taken_over' order by 1`,
    )
    return rows.map(({ seconds }) => seconds)
  }

  async close(): Promise<void> {
    this.#isRead = false
    await this.#readers
    await this.fleet.close()
    await this.proxy?.close()
    await this.database.drop()
    await this.provider.close()
  }

  async #get(path: string): Promise<TokenPage> {
    return (await this.fleet.call('GET', path)).json() as Promise<TokenPage>
  }

  async #save(count: number): Promise<void> {
    const saveSome = async () => {
      while (this.provider.families < count) {
        const { number, refreshToken } = this.provider.newFamily()
        const answer = await this.fleet.call('POST', '/v1/tokens', {
          provider: 'acme',
          client_id: 'client',
          client_secret: 'client secret',
          user_name: String(number),
          refresh_token: refreshToken,
          access_token: `saved-${number}`,
          expires_in: Math.ceil(this.#lifetimeSeconds * Math.random()),
        })
        expect(answer.status).toBe(201)
      }
    }
    await Promise.all(Array.from({ length: SAVED_AT_ONCE }, saveSome))
  }

  async #read(): Promise<void> {
    while (this.#isRead) {
      const family = Math.floor(Math.random() * this.provider.families)
      const answer = await this.fleet
        .call('POST', '/v1/access-token', { user_name: String(family) })
        .catch(() => null)
      await answer?.text().catch(() => null)
      await pause(READ_EVERY_MS)
    }
  }
}

/** By chance from 0 to so many ms. */
export const upTo = (ms: number) => () => Math.random() * ms

/** A world for one test. */
export async function openFaultWorld(options: FaultWorldOptions): Promise<FaultWorld> {
  const { policy, replicas, tokens, renewalsASecond = RENEWALS_A_SECOND } = options
  const provider = await RotatingProvider.start(policy)
  const database = options.database ?? (await createTestDatabase())
  const proxy = (await options.reach?.(database.url)) ?? null
  const entry = { name: 'acme', token_url: provider.url, rotates: 'always', ...options.entry }
  const settings = await vaultSettings(proxy?.url ?? database.url, [entry], {
    LOG_LEVEL: 'warn',
    ...options.env,
  })
  const world = new FaultWorld(provider, database, await Fleet.start(settings, replicas), proxy)
  onTestFinished(() => world.close())
  await world.fill(tokens, renewalsASecond)
  return world
}

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

export interface RotationPolicy {
  /** Of the access tokens of a family. */
  lifetimeSeconds: (family: number) => number
  /** Seconds for which a replaced refresh token still works; after them its reuse revokes the family. */
  graceSeconds: number
  /** Between a request and what the provider makes of it, and from there to the answer. */
  beforeCommitMs: () => number
  afterCommitMs: () => number
}

/** One refresh token that was presented, in the order of arrival. */
export interface Presented {
  family: number
  generation: number
  atMs: number
  /** Null until the provider has made up its mind. `replayed` is a reuse within the grace. */
  outcome: 'renewed' | 'replayed' | 'revoked' | 'refused' | null
  /** When it was answered, or whoever had asked went away. */
  closedAtMs: number | null
  /** Did the answer find whoever had asked? */
  heard: boolean | null
}

interface Family {
  current: number
  /** When each generation was replaced for the first time. */
  replacedAtMs: Map<number, number>
  revoked: boolean
}

/**
 * A token endpoint (RFC 6749, section 6) that replaces each refresh token, and revokes its whole family when one is
 * presented again too late (RFC 9700, section 4.14.2). It goes on when whoever asked has gone, and remembers all.
 */
export class RotatingProvider {
  readonly policy: RotationPolicy
  readonly log: Presented[] = []
  readonly #server: Server
  readonly #families: Family[] = []
  readonly #salt = randomBytes(8).toString('hex')

  private constructor(policy: Partial<RotationPolicy>) {
    const none = () => 0
    this.policy = {
      lifetimeSeconds: () => 3600,
      graceSeconds: 0,
      beforeCommitMs: none,
      afterCommitMs: none,
      ...policy,
    }
    this.#server = createServer((request, response) => {
      void text(request).then((body) =>
        this.#answer(new URLSearchParams(body).get('refresh_token') ?? '', response),
      )
    })
  }

  static async start(policy: Partial<RotationPolicy> = {}): Promise<RotatingProvider> {
    const provider = new RotatingProvider(policy)
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`
  }

  get families(): number {
    return this.#families.length
  }

  /** A new grant: the number of its family, from 0 on, and its first refresh token. */
  newFamily(): { number: number; refreshToken: string } {
    const number = this.#families.length
    this.#families.push({ current: 0, replacedAtMs: new Map(), revoked: false })
    return { number, refreshToken: this.#tokenOf(number, 0) }
  }

  /** Would this refresh token be answered now, without any grace? */
  isCurrent(refreshToken: string): boolean {
    const { family, generation } = this.#parse(refreshToken)
    return family?.revoked === false && family.current === generation
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(refreshToken: string, response: ServerResponse): Promise<void> {
    const { number, family, generation } = this.#parse(refreshToken)
    const entry: Presented = {
      family: number,
      generation,
      atMs: Date.now(),
      outcome: null,
      closedAtMs: null,
      heard: null,
    }
    this.log.push(entry)
    response.once('close', () => {
      entry.closedAtMs = Date.now()
      entry.heard = response.writableFinished
    })
    await pause(this.policy.beforeCommitMs())
    entry.outcome = this.#commit(family, generation)
    const successor = this.#tokenOf(number, family?.current ?? 0)
    await pause(this.policy.afterCommitMs())
    const isGood = entry.outcome === 'renewed' || entry.outcome === 'replayed'
    const body = isGood ? this.#tokensOf(number, successor) : { error: 'invalid_grant' }
    response.writeHead(isGood ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  #commit(family: Family | undefined, generation: number): Exclude<Presented['outcome'], null> {
    if (family === undefined || family.revoked) return 'refused'
    const now = Date.now()
    const replacedAtMs = family.replacedAtMs.get(generation)
    if (replacedAtMs !== undefined && now - replacedAtMs > this.policy.graceSeconds * 1000) {
      family.revoked = true
      return 'revoked'
    }
    for (let older = generation; older <= family.current; older += 1) {
      if (!family.replacedAtMs.has(older)) family.replacedAtMs.set(older, now)
    }
    family.current += 1
    return replacedAtMs === undefined ? 'renewed' : 'replayed'
  }

  #tokensOf(number: number, refreshToken: string) {
    return {
      access_token: `access-${number}-${randomBytes(8).toString('hex')}`,
      token_type: 'Bearer',
      expires_in: this.policy.lifetimeSeconds(number),
      refresh_token: refreshToken,
    }
  }

  #tokenOf(number: number, generation: number): string {
    return `refresh-${this.#salt}-${number}-${generation}`
  }

  #parse(refreshToken: string) {
    const [, salt, number, generation] = refreshToken.split('-')
    const known = salt === this.#salt ? Number(number) : -1
    return { number: known, family: this.#families[known], generation: Number(generation) }
  }
}

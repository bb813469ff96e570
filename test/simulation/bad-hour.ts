import { SCOPES } from '../../src/domain/caller.ts'
import { VaultError } from '../../src/domain/errors.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { FormPost, SendForm } from '../../src/providers/form-sender.ts'
import { createProviders } from '../../src/providers/providers.ts'
import type { Reply } from '../../src/providers/read-answer.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { createPlaces } from '../../src/vault/places.ts'
import { createRefresher } from '../../src/vault/refresher.ts'
import { createRenewals } from '../../src/vault/renewals.ts'
import { createRevocations } from '../../src/vault/revocations.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { createVault } from '../../src/vault/vault.ts'
import { inSeconds, saveOf } from '../support/domain.ts'
import { createMemoryTokenStore } from '../support/memory-store/memory-token-store.ts'
import { createMemory } from '../support/memory-store/memory.ts'
import { createRandom } from '../support/random.ts'
import { overNetwork } from './faulty-store.ts'
import { settingsOf } from './plan.ts'
import { Process } from './process.ts'
import { SILENT } from './replica.ts'
import { Trouble } from './trouble.ts'
import { VirtualTime } from './virtual-time.ts'

export const HOUR_MS = 3_600_000
export const REPLICAS = 2
/** The default of `TOKEN_VAULT_REFRESH_CONCURRENCY`. */
const PLACES = 32
const LIFE_SECONDS = 600
/** What tokens have left of their life when they are saved: those of the bad provider fall due nearly together. */
const LEFT_SECONDS = { bad: 60, others: 300 }
const TIMEOUT_SECONDS = 45

export const OTHERS = ['calm', 'quiet']
const CALLER = { keyId: 'application', namespaceId: 'namespace', scopes: new Set(SCOPES) }

/** What a provider does for an hour in place of answering. */
export const BADNESS = {
  hangs: { afterMs: TIMEOUT_SECONDS * 1000, reply: { kind: 'failed', error: 'timeout', sent: true } },
  'refuses connections': { afterMs: 2, reply: { kind: 'failed', error: 'ECONNREFUSED', sent: false } },
  'is overloaded': { afterMs: 30, reply: { kind: 'answered', status: 503, retryAfter: '7', body: '' } },
} satisfies Record<string, { afterMs: number; reply: Reply }>

interface BadHour {
  badness: keyof typeof BADNESS
  tokens: { bad: number; others: number }
}

/** Replicas with their refreshers, in virtual time, at three providers, of which one is bad for the first hour. */
export class BadHourWorld {
  readonly time = new VirtualTime()
  /** When each request to the bad provider was sent. */
  readonly asked: number[] = []
  /** Of each renewal of another provider's token, how long after it fell due it was claimed. */
  readonly delaysMs: number[] = []
  /** How often the refreshers have claimed a token of the bad provider. */
  badClaims = 0
  readonly #random = createRandom(1)
  readonly #memory = createMemory(() => inSeconds(this.time.nowMs / 1000))
  readonly #options: BadHour
  readonly #vaults: Vault[]
  #issued = 0

  constructor(options: BadHour) {
    this.#options = options
    this.#vaults = Array.from({ length: REPLICAS }, (_, number) => this.#start(`replica-${number}`))
  }

  /** Saves all tokens, and lets callers ask for those of the bad provider all along. */
  fill(): void {
    const { bad, others } = this.#options.tokens
    for (const provider of OTHERS) this.#save(provider, others, LEFT_SECONDS.others)
    this.#save('bad', bad, LEFT_SECONDS.bad)
    const ask = () => {
      const id = `bad-${Math.floor(this.#random() * bad)}`
      for (const vault of this.#vaults) vault.get(CALLER, id, 60).catch(expectVaultError)
      this.time.after(1000, ask)
    }
    ask()
  }

  /** Tokens of these providers that have expired, or have been due for over a second and nobody renews them. */
  late(...providers: string[]): string[] {
    const now = this.#memory.now().getTime()
    return [...this.#memory.rows.values()].flatMap(({ token }) => {
      const isExpired = (token.expiresAt?.getTime() ?? Infinity) <= now
      const isOverdue = token.leaseUntil === null && (token.refreshDueAt?.getTime() ?? Infinity) < now - 1000
      return providers.includes(token.provider) && (isExpired || isOverdue) ? [token.id] : []
    })
  }

  #start(name: string): Vault {
    const process = new Process(name, this.time, () => undefined)
    const { clock } = process
    const trouble = new Trouble(this.#random, 0, 0)
    const network = { process, time: this.time, trouble, isAway: () => false, pauseMs: () => 0 }
    const store = overNetwork(this.#noting(createMemoryTokenStore(this.#memory, name)), network)
    const random = this.#random
    const settings = ['bad', ...OTHERS].map((provider) => ({
      ...settingsOf('granting'),
      ...siteOf(provider),
    }))
    const ways = {
      send: this.#sendOf(process),
      now: () => this.#memory.now(),
      monotonicMs: () => this.time.nowMs,
      random,
    }
    const providers = createProviders(settings, ways)
    const parts = { store, providers, clock, observer: SILENT, policy: { marginSeconds: 600, random } }
    const places = createPlaces(PLACES)
    const renewals = createRenewals({ ...parts, places, headStart: createHeadStart(clock) })
    createRefresher({ renewals, places, clock, observer: SILENT }).start()
    const unexpected = () => Promise.reject(new Error('nothing is exchanged here'))
    const exchanges = { exchange: unexpected, close: unexpected }
    const revocations = createRevocations(parts)
    return createVault({ ...parts, renewals, exchanges, revocations })
  }

  #noting(store: TokenStore): TokenStore {
    return {
      ...store,
      claimDue: async (...asked) => {
        const claims = await store.claimDue(...asked)
        for (const { token, claimedAt } of claims) {
          const dueAtMs = token.refreshDueAt?.getTime() ?? NaN
          if (token.provider === 'bad') this.badClaims += 1
          else this.delaysMs.push(claimedAt.getTime() - dueAtMs)
        }
        return claims
      },
    }
  }

  #sendOf(process: Process): SendForm {
    return (post) => {
      const { afterMs, reply } = this.#answerTo(post)
      return new Promise((resolve) => {
        process.deliver(afterMs, () => {
          resolve(reply)
        })
      })
    }
  }

  #answerTo({ url }: FormPost): { afterMs: number; reply: Reply } {
    const isBad = new URL(url).hostname.startsWith('bad')
    if (isBad) this.asked.push(this.time.nowMs)
    if (isBad && this.time.nowMs < HOUR_MS) return BADNESS[this.#options.badness]
    this.#issued += 1
    const body = JSON.stringify({
      access_token: `access-${this.#issued}`,
      refresh_token: `refresh-${this.#issued}`,
      expires_in: LIFE_SECONDS,
    })
    return {
      afterMs: 50 + this.#random() * 250,
      reply: { kind: 'answered', status: 200, retryAfter: null, body },
    }
  }

  #save(provider: string, count: number, leftSeconds: number): void {
    for (let number = 0; number < count; number += 1) {
      const id = `${provider}-${number}`
      const expiresInSeconds = leftSeconds * (0.1 + this.#random())
      const tokens = { accessToken: `access-${id}`, refreshToken: `refresh-${id}`, clientId: 'client' }
      const save = saveOf({ id, provider, ...tokens, expiresInSeconds })
      this.#vaults[0]?.save(CALLER, save, 'any').catch(expectVaultError)
    }
  }
}

const siteOf = (name: string) => ({
  name,
  defaultLifetimeSeconds: LIFE_SECONDS,
  reuseGraceSeconds: 0,
  timeoutSeconds: TIMEOUT_SECONDS,
  sites: { kind: 'one' as const, endpoints: { tokenUrl: `https://${name}.example/token`, revokeUrl: null } },
})

function expectVaultError(error: unknown): void {
  if (!(error instanceof VaultError)) throw error
}

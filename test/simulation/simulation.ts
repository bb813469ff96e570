import { SCOPES } from '../../src/domain/caller.ts'
import { VaultError } from '../../src/domain/errors.ts'
import type { Provider } from '../../src/domain/provider.ts'
import type { Reading } from '../../src/domain/token-store.ts'
import type { Token } from '../../src/domain/token.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { inSeconds, saveOf } from '../support/domain.ts'
import { createMemory } from '../support/memory-store/memory.ts'
import { createRandom } from '../support/random.ts'
import { Watch } from './invariants.ts'
import type { Act, Plan } from './plan.ts'
import { LONGEST_PAUSE_MS, REPLICAS, settingsOf, TROUBLED_MS } from './plan.ts'
import type { Process } from './process.ts'
import type { Replica, Sabotage, Surroundings } from './replica.ts'
import { startReplica } from './replica.ts'
import type { ReusePolicy } from './rotating-provider.ts'
import { RotatingProvider } from './rotating-provider.ts'
import { Trouble } from './trouble.ts'
import { VirtualTime } from './virtual-time.ts'

/** What went against the invariants, and how it came about. */
export type Outcome = Pick<Watch, 'violations' | 'story'>

const CALLER = { keyId: 'application', namespaceId: 'namespace', scopes: new Set(SCOPES) }
const POLL_MS = 500
/** A back-off, and a client's pause, are over by then. */
const QUIET_MS = 3_600_000
const LONGEST_QUIET_POLL_MS = 30_000

const DELETING: Act['what'][] = ['delete', 'start over', 'revoke']

/** Lets a plan happen to three replicas of the production code; resolves with what became of it. */
export function simulate(plan: Plan, sabotage: Sabotage = {}): Promise<Outcome> {
  return new Simulation(plan, sabotage).run()
}

class Simulation {
  readonly #plan: Plan
  readonly #time = new VirtualTime()
  readonly #trouble: Trouble
  readonly #around: Surroundings
  readonly #replicas: (Replica | null)[] = []
  /** What applications have read last, and may save again. */
  readonly #read = new Map<string, Reading>()
  #waiting = 0
  #awayUntilMs = 0
  #quiet = false

  constructor(plan: Plan, sabotage: Sabotage) {
    this.#plan = plan
    const time = this.#time
    const random = createRandom(plan.seed)
    const trouble = new Trouble(random, plan.trouble.rate, plan.trouble.most)
    this.#trouble = trouble
    const settings = settingsOf(plan.kind)
    const endpoint = new RotatingProvider(reuseOf(plan, settings), () => Math.floor(trouble.between(20, 60)))
    const memory = createMemory(() => inSeconds(time.nowMs / 1000))
    const watch = new Watch({ time, memory, endpoint, provider: settings })
    const isStorageAway = () => time.nowMs < this.#awayUntilMs
    const pollMs = () => this.#pollMs()
    const shared = { time, random, trouble, memory, endpoint, settings, watch, sabotage }
    this.#around = { ...shared, isStorageAway, pollMs }
  }

  async run(): Promise<Outcome> {
    const { tokens, acts } = this.#plan
    for (let number = 0; number < REPLICAS; number += 1) this.#start(number)
    for (let token = 0; token < tokens; token += 1) {
      this.#perform({ atMs: 0, replica: 0, token, what: 'sign in again' })
    }
    for (const act of acts) {
      this.#time.after(act.atMs, () => {
        this.#perform(act)
      })
    }
    await this.#time.run(TROUBLED_MS)
    this.#trouble.end()
    this.#awayUntilMs = 0
    this.#quiet = true
    const restMs = TROUBLED_MS + LONGEST_PAUSE_MS
    await this.#time.run(restMs)
    await this.#time.run(restMs + QUIET_MS, () => this.#waiting === 0 && this.#unsettled().length === 0)
    for (const detail of this.#unsettled()) this.#around.watch.stuck(detail)
    if (this.#waiting > 0) this.#around.watch.stuck(`${this.#waiting} callers`)
    return this.#around.watch
  }

  #start(number: number): void {
    const name = `replica-${number}`
    this.#replicas[number] = startReplica(name, this.#around, () => {
      this.#around.watch.tell(`${name} ends`)
      this.#replicas[number] = null
      this.#time.after(this.#trouble.between(100, 5000), () => {
        this.#start(number)
      })
    })
  }

  /** In quiet times nobody looks before there is something to see. */
  #pollMs(): number {
    if (!this.#quiet) return POLL_MS
    const now = this.#around.memory.now().getTime()
    if ([...this.#around.memory.rows.values()].some(({ token }) => isCutOff(token, now))) return POLL_MS
    const moments = [...this.#around.memory.rows.values()].flatMap(({ token }) =>
      [token.refreshDueAt, token.retryAt, token.leaseUntil].flatMap((at) => at?.getTime() ?? []),
    )
    const nextMs = Math.min(LONGEST_QUIET_POLL_MS, ...moments.filter((at) => at > now).map((at) => at - now))
    return Math.max(POLL_MS, nextMs)
  }

  #perform(act: Act): void {
    this.#around.watch.tell(`replica-${act.replica} ${act.what}`)
    const replica = this.#replicas[act.replica]
    if (act.what === 'storage away') this.#awayUntilMs = this.#time.nowMs + act.ms
    if (replica === undefined || replica === null) return
    const id = this.#idOf(act)
    const { vault, process, renewals } = replica
    switch (act.what) {
      case 'crash':
        process.crash()
        break
      case 'stop':
        void renewals.close().then(() => {
          process.crash()
        })
        break
      case 'pause':
        process.pause(act.ms)
        break
      case 'read':
        this.#ask(process, vault.get(CALLER, id, act.minTtlSeconds))
        break
      case 'refresh':
        this.#ask(process, vault.refresh(CALLER, id, 'any'))
        break
      case 'sign in again':
        this.#ask(process, this.#signIn(vault, id))
        break
      case 'save what was read':
        this.#saveAgain(process, vault, id)
        break
      case 'save another scope':
        this.#ask(process, vault.save(CALLER, saveOf({ id, scope: String(this.#time.nowMs) }), 'any'))
        break
      case 'save with its user':
        this.#ask(process, this.#saveWithUser(vault, id))
        break
      case 'revoke':
        this.#call(process, vault.revoke(CALLER, id, 'any'), () => undefined)
        break
      case 'delete':
        this.#call(process, vault.delete(CALLER, id, 'any'), () => undefined)
        break
      case 'start over':
        this.#ask(process, this.#startOver(vault, id))
        break
      case 'withdraw consent':
        this.#withdraw(id)
    }
  }

  #signIn(vault: Vault, id: string): Promise<Reading> {
    const grant = this.#around.endpoint.grant()
    const client = { provider: 'stand-in', clientId: 'client', clientSecret: 'secret' }
    return vault.save(CALLER, saveOf({ id, ...client, ...grant }), 'any')
  }

  /** The token that comes is another one, though it has the same id. */
  async #startOver(vault: Vault, id: string): Promise<Reading> {
    await vault.delete(CALLER, id, 'any')
    return this.#signIn(vault, id)
  }

  /** An application saves the token as it knows it, which may be long ago. One that was deleted would be a new one. */
  #saveAgain(process: Process, vault: Vault, id: string): void {
    const token = this.#read.get(id)?.token
    if (token === undefined || this.#isEverDeleted(id)) return
    const { refreshToken, accessToken, expiresAt } = token
    const save = { ...saveOf({ id }), refreshToken, accessToken, expiresAt }
    this.#ask(process, vault.save(CALLER, save, 'any'))
  }

  /** The user of the grant becomes known, who has a token already: it absorbs the one that is read here. */
  async #saveWithUser(vault: Vault, id: string): Promise<Reading> {
    const reading = this.#read.get(id) ?? (await vault.get(CALLER, id, null))
    const user = { provider: 'stand-in', clientId: 'client', userName: `user of ${id}` }
    if (this.#isEverDeleted(id)) return reading
    await vault.save(CALLER, saveOf({ ...user, accessToken: 'access of the user' }), 'any')
    return vault.save(CALLER, { ...saveOf(user), refreshToken: reading.token.refreshToken }, 'any')
  }

  #isEverDeleted(id: string): boolean {
    return this.#plan.acts.some((act) => DELETING.includes(act.what) && this.#idOf(act) === id)
  }

  #idOf({ token }: Pick<Act, 'token'>): string {
    return `token-${token % this.#plan.tokens}`
  }

  #withdraw(id: string): void {
    const row = this.#around.memory.rows.get(`${CALLER.namespaceId}/${id}`)
    if (row?.token.refreshToken) this.#around.endpoint.revoke(row.token.refreshToken.reveal())
  }

  #ask(process: Process, work: Promise<Reading>): void {
    this.#call(process, work, (reading) => {
      this.#around.watch.told(reading.token)
      this.#read.set(reading.token.id, reading)
    })
  }

  /** A caller waits until there is an answer, or nobody to answer. */
  #call<Answer>(process: Process, work: Promise<Answer>, onAnswer: (answer: Answer) => void): void {
    this.#waiting += 1
    let isOver = false
    const end = () => {
      if (!isOver) this.#waiting -= 1
      isOver = true
    }
    process.onCrash(end)
    work.then(onAnswer, expectVaultError).finally(end)
  }

  /** What keeps the run from its end: a lease, a failure that goes on, a grant whose state is not the provider's. */
  #unsettled(): string[] {
    const now = this.#around.memory.now()
    return [...this.#around.memory.rows.values()].flatMap(({ token }) => {
      const isDead = this.#around.endpoint.revokedBy(token.refreshToken?.reveal() ?? '') !== null
      const isLive = token.expiresAt !== null && token.expiresAt > now
      const isRight = isDead
        ? token.status === 'reauth_required' && token.lastError?.code === 'reauth_required'
        : token.status === 'active' && isLive
      const isBare = token.refreshToken === null
      return (isRight || isBare) && token.leaseUntil === null ? [] : [`${token.id} is ${token.status}`]
    })
  }
}

/** Whoever may not take over yet looks again soon. */
function isCutOff({ leaseUntil }: Token, nowMs: number): boolean {
  return leaseUntil !== null && leaseUntil.getTime() <= nowMs
}

function reuseOf({ replacesAll }: Plan, { rotates, reuseGraceSeconds }: Provider): ReusePolicy {
  return { rotates: rotates === 'always', graceMs: reuseGraceSeconds * 1000, replacesAll }
}

function expectVaultError(error: unknown): void {
  if (!(error instanceof VaultError)) throw error
}

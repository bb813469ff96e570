import type { Provider } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { Token } from '../../src/domain/token.ts'
import type { Memory, Row } from '../support/memory-store/memory.ts'
import type { Sent } from './faulty-network.ts'
import type { RotatingProvider, Verdict } from './rotating-provider.ts'
import type { VirtualTime } from './virtual-time.ts'

export type Invariant =
  | 'one live lease per token'
  | 'what is stored only grows'
  | 'no replaced refresh token is sent again outside its grace'
  | 'nobody is told what is not stored'
  | 'an answer stays with its grant'
  | 'an expiry counts from the claim'
  | 'only a dead grant is called dead'
  | 'a loss is told'
  | "the provider's limit is kept"
  | 'the floor is kept'
  | 'nothing is stuck'

export interface Violation {
  invariant: Invariant
  detail: string
}

interface ClaimMade {
  atMs: number
  refreshToken: string
  sent: boolean
}

interface WatchParts {
  time: VirtualTime
  memory: Memory
  endpoint: RotatingProvider
  /** As it truly is, whatever the vault believes. */
  provider: Provider
}

const shown = ({ id, fence, status, refreshToken, lostAt }: Token) =>
  `${id} is ${status} at fence ${fence} with ${refreshToken?.reveal() ?? 'no grant'}${lostAt === null ? '' : ', lost'}`

/** Looks at every change of the storage and every request, and notes what must never be. */
export class Watch {
  readonly violations: Violation[] = []
  /** What happened, a line each, for whoever has to understand a violation. */
  readonly story: string[] = []
  readonly #parts: WatchParts
  readonly #claims: ClaimMade[] = []
  readonly #claimedAt = new Map<string, number>()
  readonly #told = new Set<string>()
  readonly #lost = new Set<string>()
  /** By refresh token, the request that replaced it. */
  readonly #replacedBy = new Map<string, Sent>()
  readonly #storedInTime = new Set<Sent>()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** The same store; what each of its calls did is looked at before anything else happens. */
  over(store: TokenStore, replica: string): TokenStore {
    return new Proxy(store, {
      get: (target, name, receiver) => {
        const member = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>
        return (...args: unknown[]) => {
          const before = new Map(this.#parts.memory.rows)
          const result = member.apply(target, args)
          for (const [key, after] of this.#parts.memory.rows) {
            if (after === before.get(key)) continue
            this.tell(`${replica} ${String(name)}: ${shown(after.token)}`)
            this.#look(String(name), args, before.get(key) ?? null, after)
          }
          return result
        }
      },
    })
  }

  tell(line: string): void {
    this.story.push(`${this.#parts.time.nowMs.toFixed(0).padStart(7)} ${line}`)
  }

  sent({ refreshToken, process }: Sent): void {
    this.tell(`${process.name} sends ${refreshToken}`)
    const { limit } = this.#parts.provider
    const claim = this.#claims.findLast((made) => made.refreshToken === refreshToken && !made.sent)
    if (claim === undefined) return
    claim.sent = true
    if (limit === null) return
    const since = claim.atMs - limit.windowSeconds * 1000
    const lately = this.#claims.filter(
      (made) => made.sent && made.refreshToken === refreshToken && made.atMs > since,
    )
    if (lately.length > limit.count) this.#note("the provider's limit is kept", refreshToken)
  }

  /** A strict provider may be asked twice only where the first answer could not be stored in time. */
  heard(request: Sent, verdict: Verdict): void {
    const { refreshToken, process } = request
    const heard = typeof verdict === 'string' ? verdict : verdict.refreshToken
    this.tell(`the provider answers ${process.name} ${heard} for ${refreshToken}`)
    if (verdict !== 'reuse') {
      if (!this.#replacedBy.has(refreshToken)) this.#replacedBy.set(refreshToken, request)
      return
    }
    const first = this.#replacedBy.get(refreshToken)
    const isExcused = first !== undefined && !this.#storedInTime.has(first) && isOutOfReach(first)
    if (this.#parts.provider.reuseGraceSeconds > 0 || !isExcused) {
      this.#note('no replaced refresh token is sent again outside its grace', refreshToken)
    }
  }

  told(token: Token): void {
    const accessToken = token.accessToken?.reveal()
    if (accessToken !== undefined && !this.#told.has(`${token.id} ${accessToken}`)) {
      this.#note('nobody is told what is not stored', shown(token))
    }
  }

  stuck(detail: string): void {
    this.#note('nothing is stuck', detail)
  }

  #look(call: string, args: unknown[], before: Row | null, { token }: Row): void {
    if (token.accessToken !== null) this.#told.add(`${token.id} ${token.accessToken.reveal()}`)
    if (before === null) return
    this.#checkGrowth(before.token, token)
    if (call === 'claim' || call === 'claimDue') this.#checkClaim(before.token, token)
    if (call === 'settle') this.#checkSettled(args[0] as Claim, before.token, token)
  }

  #checkGrowth(before: Token, after: Token): void {
    const [one, other] = [before.refreshToken?.reveal(), after.refreshToken?.reveal()]
    const generations =
      one === undefined || other === undefined ? null : this.#parts.endpoint.generations(one, other)
    // A save may bring back what a dead grant had before: it is dead all the same.
    const isOlder =
      generations !== null && generations[1] < generations[0] && before.status !== 'reauth_required'
    if (isOlder || after.fence < before.fence) this.#note('what is stored only grows', shown(after))
  }

  #checkClaim(before: Token, after: Token): void {
    const { time, memory, provider } = this.#parts
    const now = memory.now()
    this.#claims.push({ atMs: time.nowMs, refreshToken: after.refreshToken?.reveal() ?? '', sent: false })
    this.#claimedAt.set(claimKey(after), now.getTime())
    if (before.leaseUntil !== null && before.leaseUntil > now)
      this.#note('one live lease per token', shown(after))
    const { refreshedAt, expiresAt, lifetimeSeconds, lostAt, leaseUntil } = before
    const isReplay = lostAt !== null || leaseUntil !== null
    const isExpired = before.accessToken === null || (expiresAt !== null && expiresAt <= now)
    if (refreshedAt === null || isReplay || isExpired) return
    const interval = Math.min(provider.minIntervalSeconds, (lifetimeSeconds ?? Infinity) / 5)
    const ago = (now.getTime() - refreshedAt.getTime()) / 1000
    if (ago < interval) this.#note('the floor is kept', `${shown(after)}, after ${ago} s`)
  }

  #checkSettled(claim: Claim, before: Token, after: Token): void {
    const sent = this.#replacedBy.get(before.refreshToken?.reveal() ?? '')
    const isReplaced = before.refreshToken !== after.refreshToken
    if (isReplaced && sent !== undefined && !isOutOfReach(sent)) this.#storedInTime.add(sent)
    const accessToken = after.accessToken?.reveal() ?? ''
    if (accessToken !== before.accessToken?.reveal()) {
      const life = this.#parts.endpoint.lifeOf(accessToken) ?? NaN
      const expiry = (this.#claimedAt.get(claimKey(claim.token)) ?? NaN) + life * 1000
      if (after.expiresAt?.getTime() !== expiry) this.#note('an expiry counts from the claim', shown(after))
    }
    const families = [
      accessToken,
      after.refreshToken?.reveal() ?? '',
      before.refreshToken?.reveal() ?? '',
    ].map(familyOf)
    const isOther = accessToken !== before.accessToken?.reveal() && new Set(families).size > 1
    if (isOther) this.#note('an answer stays with its grant', `${shown(after)} got ${accessToken}`)
    if (after.status === 'reauth_required' && before.status !== 'reauth_required') this.#checkDeath(after)
  }

  #checkDeath(token: Token): void {
    const refreshToken = token.refreshToken?.reveal() ?? ''
    const revokedBy = this.#parts.endpoint.revokedBy(refreshToken)
    if (revokedBy === null) this.#note('only a dead grant is called dead', shown(token))
    const family = familyOf(refreshToken)
    const isTold = token.lastError?.detail.includes('was lost') === true
    if (revokedBy === 'reuse' && !isTold && !this.#lost.has(family))
      this.#note('a loss is told', shown(token))
    this.#lost.add(family)
  }

  #note(invariant: Invariant, detail: string): void {
    this.violations.push({ invariant, detail: `${detail}, at ${this.#parts.time.nowMs.toFixed(0)} ms` })
  }
}

/** The answer never came, or whoever sent the request has stood still or ended since. */
const isOutOfReach = ({ answerLost, process, sentAtMs }: Sent) =>
  answerLost || process.wasDisturbedSince(sentAtMs)

const claimKey = ({ id, createdAt, fence }: Token) => `${id} ${createdAt.getTime()} ${fence}`
const familyOf = (value: string) => value.split(/[-.]/)[1] ?? ''

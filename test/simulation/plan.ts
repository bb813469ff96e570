import fc from 'fast-check'
import type { ProviderSettings } from '../../src/providers/provider-settings.ts'

/** How the provider treats replaced refresh tokens. `brief` grants reuse for hardly longer than a take-over needs. */
export type Kind = 'strict' | 'granting' | 'brief' | 'steady'

const PLAIN = [
  'refresh',
  'sign in again',
  'save what was read',
  'save another scope',
  'save with its user',
  'delete',
  'start over',
  'revoke',
  'withdraw consent',
] as const

/** Something that happens at a moment of the run. */
export type Act = { atMs: number; replica: number; token: number } & (
  | { what: 'read'; minTtlSeconds: number }
  | { what: (typeof PLAIN)[number] }
  | { what: 'crash' | 'stop' }
  | { what: 'pause' | 'storage away'; ms: number }
)

/** One run, whole: the same plan makes the same run. */
export interface Plan {
  /** Of delays, jitter and what goes wrong where. */
  seed: number
  kind: Kind
  replacesAll: boolean
  tokens: number
  trouble: { rate: number; most: number }
  acts: Act[]
}

export const REPLICAS = 3
/** Trouble and callers come in this time; then the run goes on until all is at rest. */
export const TROUBLED_MS = 60_000
/** Longer than any lease. */
export const LONGEST_PAUSE_MS = 25_000

const TIMEOUT_SECONDS = 4
const TOKEN_URL = 'https://stand-in.example/token'
export const REVOKE_URL = 'https://stand-in.example/revoke'

export function settingsOf(kind: Kind): ProviderSettings {
  return {
    name: 'stand-in',
    defaultLifetimeSeconds: 60,
    rotates: kind === 'steady' ? 'never' : 'always',
    reuseGraceSeconds: { strict: 0, granting: 3600, brief: 12, steady: 0 }[kind],
    limit: kind === 'steady' ? { count: 4, windowSeconds: 30 } : null,
    minIntervalSeconds: 6,
    timeoutSeconds: TIMEOUT_SECONDS,
    clientAuth: 'body',
    privateNetwork: false,
    sites: { kind: 'one', endpoints: { tokenUrl: TOKEN_URL, revokeUrl: REVOKE_URL } },
  }
}

const moment = fc.integer({ min: 0, max: TROUBLED_MS })
const where = { atMs: moment, replica: fc.nat(REPLICAS - 1), token: fc.nat(2) }

const read = fc.record({
  ...where,
  what: fc.constant('read' as const),
  minTtlSeconds: fc.constantFrom(0, 10, 30, 3600),
})
const plain = fc.record({
  ...where,
  what: fc.constantFrom('refresh', ...PLAIN),
})
const ending = fc.record({ ...where, what: fc.constantFrom('crash', 'stop') })
const lasting = fc.record({
  ...where,
  what: fc.constantFrom('pause', 'storage away'),
  ms: fc.integer({ min: 100, max: LONGEST_PAUSE_MS }),
})

/** A grace that is brief covers one fault at a time: more of them outlast it, and no protocol helps. */
const isMild = (kind: Kind) => kind === 'brief'

export const plans: fc.Arbitrary<Plan> = fc
  .constantFrom<Kind>('strict', 'granting', 'brief', 'steady')
  .chain((kind) =>
    fc.record({
      seed: fc.integer(),
      kind: fc.constant(kind),
      replacesAll: fc.boolean(),
      tokens: fc.integer({ min: 1, max: 3 }),
      trouble: fc.record({
        rate: fc.constantFrom(0.02, 0.1, 0.3),
        most: isMild(kind) ? fc.constant(1) : fc.nat(12),
      }),
      acts: fc.array<Act>(
        isMild(kind) ? fc.oneof(read, plain) : fc.oneof(read, read, plain, ending, lasting),
        {
          maxLength: 12,
        },
      ),
    }),
  )

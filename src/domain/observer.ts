import type { TokenRef } from './token.ts'

/** Who is told of what the vault does by itself. Its methods never throw. */
export interface Observer {
  /** `outcome` is the kind of a refresh outcome, `stored` false where a save or a peer won over it. */
  renewalSettled(renewal: {
    ref: TokenRef
    provider: string
    outcome: string
    stored: boolean
    ms: number
  }): void
  /** An answer is in hand and the storage does not take it: it is tried again. */
  renewalNotStored(ref: TokenRef, error: unknown): void
  /** The search for due tokens failed; it goes on. */
  refresherFailed(error: unknown): void
}

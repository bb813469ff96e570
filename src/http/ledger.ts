import type { AuditEntry } from '../domain/audit.ts'
import type { Caller } from '../domain/caller.ts'
import { VaultError } from '../domain/errors.ts'
import type { RequestObserver } from '../domain/observer.ts'
import type { Secret } from '../domain/secret.ts'
import type { DisclosureBudget } from '../vault/disclosure-budget.ts'
import type { BrakeClosings, Brake } from './brake-closings.ts'

/** What an answer shows of one token or of one API key: the secrets that the caller may see, by field. */
export interface Showing {
  tokenId?: string
  keyId?: string
  secrets: Readonly<Record<string, Secret>>
}

/** A line of the audit log, without what all lines of a request have in common. */
export type LedgerEntry = Pick<AuditEntry, 'tokenId' | 'keyId' | 'absorbed' | 'count' | 'disclosed'>

interface LedgerParts {
  caller: Caller
  /** Has the request an action of its own, so that it may have changed something? */
  changes: boolean
  /** Has the answer no body, so that it shows nothing? */
  bodiless: boolean
  budget: DisclosureBudget
  closings: BrakeClosings
  observer: RequestObserver
}

const REFUSALS: Record<Brake, string> = {
  request_rate: 'This key sends more requests a second than it is allowed.',
  disclosure_budget:
    'This key has seen as many tokens within an hour as it is allowed: wait, or ask for fewer at once.',
}

/**
 * What the audit log is to hear of a request. Nothing else in http may reveal a secret: what the ledger gives
 * away is written down before the caller has it.
 */
export class Ledger {
  readonly entries: LedgerEntry[] = []
  /** Those that this request has closed. */
  readonly brakes: Brake[] = []
  readonly #parts: LedgerParts

  constructor(parts: LedgerParts) {
    this.#parts = parts
  }

  /**
   * The secrets as text, showing by showing. A key whose budget is spent gets none of them: a request that has
   * changed something is then answered without, any other one is refused.
   * @throws VaultError `rate_limited`
   */
  disclose(showings: readonly Showing[]): Record<string, string>[] {
    const { caller, changes, bodiless, budget } = this.#parts
    if (bodiless) return showings.map(() => ({}))
    const ids = showings.flatMap(({ tokenId, secrets }) =>
      tokenId === undefined || isEmpty(secrets) ? [] : [tokenId],
    )
    const waitSeconds = budget.spend(caller.keyId, ids)
    if (waitSeconds === null) return showings.map((showing) => this.#reveal(showing))
    const refused = this.refusal('disclosure_budget', waitSeconds)
    if (!changes) throw refused
    return showings.map((showing) => this.#reveal({ ...showing, secrets: {} }))
  }

  /** What a change did that no showing tells. */
  note(entry: LedgerEntry): void {
    this.entries.push(entry)
  }

  /** The refusal by a brake; that it closed is written down once. */
  refusal(brake: Brake, waitSeconds: number): VaultError {
    const { caller, closings, observer } = this.#parts
    observer.braked(brake)
    if (closings.close(brake, caller.keyId, waitSeconds)) this.brakes.push(brake)
    return new VaultError('rate_limited', REFUSALS[brake], { retryAfterSeconds: waitSeconds })
  }

  /** The entries could not be written down: that a brake closed is still to be. */
  lost(): void {
    const { caller, closings } = this.#parts
    for (const brake of this.brakes) closings.forget(brake, caller.keyId)
  }

  #reveal({ secrets, ...about }: Showing): Record<string, string> {
    const revealed: Record<string, string> = {}
    for (const [field, secret] of Object.entries(secrets)) revealed[field] = secret.reveal()
    this.entries.push({ ...about, disclosed: secrets })
    return revealed
  }
}

function isEmpty(secrets: Showing['secrets']): boolean {
  return Object.keys(secrets).length === 0
}

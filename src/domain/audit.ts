import type { Secret } from './secret.ts'
import type { Actor } from './token.ts'

/** What an entry tells of. docs/audit.md says when each is written. */
export type AuditAction =
  | 'token.disclosed'
  | 'token.saved'
  | 'token.refreshed'
  | 'token.exchanged'
  | 'token.revoked'
  | 'token.renewed'
  | 'token.deleted'
  | 'tokens.deleted'
  | 'tokens.imported'
  | 'key.created'
  | 'key.revoked'
  | 'namespace.created'
  | 'namespace.deleted'
  | 'keys.rotated'
  | 'brake.closed'

/** One disclosure, one change, or one brake that closed. */
export interface AuditEntry {
  /** Absent for what no request did. */
  requestId?: string
  /** Absent for what is about all of them. */
  namespaceId?: string
  /** Of a namespace that comes or goes: nothing else tells it afterwards. */
  namespace?: string
  actor: Actor
  action: AuditAction
  /** The token that it is about. */
  tokenId?: string
  /** The token that became part of it, and is gone. */
  absorbed?: string
  /** The API key that it is about. */
  keyId?: string
  /** How many tokens a change was about. */
  count?: number
  /** What moved to which master key, and how many tokens could not. */
  rotated?: { masterKey: string; dataKeys: number; tokens: number; left: number }
  /** What the caller is shown, by field: the trail keeps the names, and a fingerprint of each value. */
  disclosed?: Readonly<Record<string, Secret>>
  /** `ok`, or the code of the problem that the caller is answered with; docs/audit.md has the others. */
  outcome: string
}

/** Who saw which secret and who changed what, in an order that cannot be altered unseen. */
export interface AuditTrail {
  /**
   * Resolves when the entries have left the process: answer only then.
   * @throws VaultError `storage_unavailable` when they cannot be written
   */
  record(entries: readonly AuditEntry[]): Promise<void>
  close(): Promise<void>
}

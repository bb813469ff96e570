import type { Caller } from '../domain/caller.ts'
import { stopping } from '../domain/errors.ts'
import type { IfVersion } from '../domain/if-version.ts'
import type { RevokeParts } from './revoke-token.ts'
import { revokeToken } from './revoke-token.ts'
import { createTracker } from './tracker.ts'

/** The revocations of this replica. */
export interface Revocations {
  /**
   * Revokes what a token holds at the provider, and then deletes it. The work belongs to nobody: it goes on when the
   * caller has left.
   * @throws VaultError `not_found`, `version_mismatch`, or what the provider refuses
   */
  revoke(caller: Caller, id: string, ifVersion: IfVersion): Promise<void>
  /** Revokes nothing any more; resolves when those under way have ended. */
  close(): Promise<void>
}

export function createRevocations(parts: RevokeParts): Revocations {
  const { track, allDone } = createTracker()
  let closed = false
  return {
    async revoke(caller, id, ifVersion) {
      if (closed) throw stopping()
      await track(revokeToken(parts, caller, id, ifVersion))
    },
    async close() {
      closed = true
      await allDone()
    },
  }
}

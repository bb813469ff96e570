import type { Caller } from './caller.ts'

/** Tells whose API key this is. */
export interface Authenticator {
  /**
   * Null for a key that is malformed, unknown, expired or revoked: no caller learns which.
   * @throws VaultError `storage_unavailable` where nobody knows, or knew it too long ago
   */
  authenticate(key: string): Promise<Caller | null>
}

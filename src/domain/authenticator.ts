import type { Caller } from './caller.ts'

/** Tells whose API key this is. */
export interface Authenticator {
  /** Null for a key that is malformed, unknown, expired or revoked: no caller learns which. */
  authenticate(key: string): Promise<Caller | null>
}

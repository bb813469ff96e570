import { VaultError } from './errors.ts'

/** What a caller makes a change depend on: nothing, a token that is there, or one of these versions of it. */
export type IfVersion = 'any' | 'exists' | number[]

/**
 * `stored` is the version of the matched token; null where none matches.
 * @throws VaultError `version_mismatch`
 */
export function checkVersion(stored: number | null, ifVersion: IfVersion): void {
  if (ifVersion === 'any') return
  if (stored === null) throw new VaultError('version_mismatch', 'If-Match was sent, and no token matches.')
  if (ifVersion === 'exists' || ifVersion.includes(stored)) return
  throw new VaultError('version_mismatch', `The token is at version ${stored}: read it again.`)
}

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { apiKeyId } from '../domain/api-key.ts'
import type { Authenticator } from '../domain/authenticator.ts'
import { SCOPES } from '../domain/caller.ts'
import type { Secret } from '../domain/secret.ts'

/** The key that the operator set: every scope, in one namespace, for as long as it is set. Null: no key fits. */
export function createBootstrapAuthenticator(key: Secret | null, namespaceId: string): Authenticator {
  const expected = digest(key?.reveal() ?? randomBytes(32).toString('hex'))
  const caller = { keyId: apiKeyId(key?.reveal() ?? '') ?? '', namespaceId, scopes: new Set(SCOPES) }
  return {
    // Always a digest and a comparison, so that all wrong keys take the same time.
    authenticate: (given) => Promise.resolve(timingSafeEqual(digest(given), expected) ? caller : null),
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

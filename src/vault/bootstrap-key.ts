import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Authenticator } from '../domain/authenticator.ts'
import { SCOPES } from '../domain/caller.ts'
import type { Secret } from '../domain/secret.ts'

/** `tv_<key id>_<secret>`: the id is public, the secret is 256 random bits. */
const KEY = /^tv_([a-z0-9]{3,32})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32

/** The id of an API key that is well formed; null for any other text. */
export function keyIdOf(key: string): string | null {
  return KEY.exec(key)?.[1] ?? null
}

export function generateApiKey(id: string): string {
  return `tv_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

/** The key that the operator set: every scope, in one namespace, for as long as it is set. */
export function createBootstrapAuthenticator(key: Secret | null, namespaceId: string): Authenticator {
  const scopes = new Set(SCOPES)
  const keyId = (key && keyIdOf(key.reveal())) ?? ''
  const expected = key && digest(key.reveal())
  return {
    // Always a digest and a comparison, so that all wrong keys take the same time.
    authenticate(given) {
      const matches = timingSafeEqual(digest(given), expected ?? randomBytes(SECRET_BYTES))
      return Promise.resolve(matches ? { keyId, namespaceId, scopes } : null)
    },
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

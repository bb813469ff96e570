import { KeyBody } from '../contract/keys.ts'
import type { KeyRequest } from '../vault/api-keys.ts'
import { time } from './token-requests.ts'
import { readBody } from './validation.ts'

export function toKeyRequest({ name, scopes, expires_at: given }: KeyBody): KeyRequest {
  return { name, scopes, expiresAt: given === 'never' ? given : time('/expires_at', given) }
}

/**
 * What `POST /v1/keys` would make of this body, for who asks for a key by another way.
 * @throws VaultError `invalid_request` with a pointer for each fault
 */
export function readKeyRequest(body: object): KeyRequest {
  return toKeyRequest(readBody(KeyBody, body))
}

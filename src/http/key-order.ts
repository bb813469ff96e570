import { KeyBody } from '../contract/keys.ts'
import { VaultError } from '../domain/errors.ts'
import type { KeyOrder } from '../vault/api-keys.ts'
import { time } from './token-requests.ts'
import { ajv } from './validation.ts'

export function toKeyOrder({ name, scopes, expires_at: given }: KeyBody): KeyOrder {
  if (given === 'never') return { name, scopes, expiresAt: null }
  return { name, scopes, expiresAt: time('/expires_at', given) ?? undefined }
}

/**
 * What `POST /v1/keys` would make of this body, for who orders a key by another way.
 * @throws VaultError `invalid_request` with a pointer for each fault
 */
export function readKeyOrder(body: object): KeyOrder {
  if (ajv.validate<KeyBody>(KeyBody, body)) return toKeyOrder(body)
  const errors = (ajv.errors ?? []).map(({ instancePath, message = '' }) => ({
    pointer: instancePath,
    detail: message,
  }))
  throw new VaultError('invalid_request', 'The order is malformed.', { errors })
}

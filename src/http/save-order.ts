import { SaveBody } from '../contract/tokens.ts'
import type { SaveRequest } from '../domain/save.ts'
import { toSaveRequest } from './token-requests.ts'
import { readBody } from './validation.ts'

/**
 * What `POST /v1/tokens` would make of this body, for who saves by another way.
 * @throws VaultError `invalid_request` with a pointer for each fault
 */
export function readSaveOrder(body: object): SaveRequest {
  return toSaveRequest(readBody(SaveBody, body))
}

import type { Problem } from '../contract/problem.ts'
import type { ErrorCode, ErrorFacts } from '../domain/errors.ts'

/** The codes that HTTP itself adds to the vault's own. */
export type ProblemCode =
  ErrorCode | 'method_not_allowed' | 'payload_too_large' | 'unsupported_media_type' | 'internal_error'

/** The status and the title of each code. docs/errors.md says what to do about it. */
export const PROBLEMS: Record<ProblemCode, { status: number; title: string }> = {
  invalid_request: { status: 400, title: 'The request is malformed' },
  no_criterion: { status: 400, title: 'The find names nothing to find by' },
  unauthorized: { status: 401, title: 'A valid API key is needed' },
  insufficient_scope: { status: 403, title: 'The API key lacks a scope' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  ambiguous_match: { status: 409, title: 'Several tokens match' },
  conflict: { status: 409, title: 'The identity belongs to another token' },
  reauth_required: { status: 409, title: 'The user has to sign in again' },
  not_refreshable: { status: 409, title: 'The token cannot be renewed' },
  version_mismatch: { status: 412, title: 'The token has moved on' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be JSON' },
  nothing_to_store: { status: 422, title: 'There is nothing to store' },
  grant_refused: { status: 422, title: 'The provider refuses the authorization code' },
  rate_limited: { status: 429, title: 'The API key has reached a limit' },
  internal_error: { status: 500, title: 'A fault of the vault' },
  provider_error: { status: 502, title: 'The provider made no sense' },
  client_refused: { status: 502, title: 'The provider refuses the client' },
  provider_throttled: { status: 503, title: 'The provider allows no more for now' },
  provider_unavailable: { status: 503, title: 'The provider does not answer' },
  storage_unavailable: { status: 503, title: 'The storage does not answer' },
}

/** The problem document of an error (RFC 9457). */
export function problemOf(
  code: ProblemCode,
  detail: string,
  requestId: string,
  facts: ErrorFacts = {},
): Problem {
  const { status, title } = PROBLEMS[code]
  const { errors, matches, tokenId } = facts
  return {
    type: `urn:token-vault:problem:${code}`,
    title,
    status,
    detail,
    code,
    request_id: requestId,
    ...(errors && { errors }),
    ...(matches && { matches }),
    ...(tokenId !== undefined && { token_id: tokenId }),
  }
}

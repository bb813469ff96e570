/**
 * Everything that can go wrong by a caller's doing, a provider's or the storage's. The code is the contract:
 * `http/problem.ts` gives each its status, docs/errors.md each its remedy.
 */
export type ErrorCode =
  | 'invalid_request'
  | 'no_criterion'
  | 'unauthorized'
  | 'insufficient_scope'
  | 'not_found'
  | 'ambiguous_match'
  | 'conflict'
  | 'reauth_required'
  | 'not_refreshable'
  | 'version_mismatch'
  | 'nothing_to_store'
  | 'grant_refused'
  | 'rate_limited'
  | 'provider_error'
  | 'client_refused'
  | 'provider_throttled'
  | 'provider_unavailable'
  | 'storage_unavailable'

/** What an error says beyond its code: in fields of the problem document, and in the header `Retry-After`. */
export interface ErrorFacts {
  /** Where the request is wrong, by JSON pointer. */
  errors?: { pointer: string; detail: string }[]
  /** Ids of the tokens that match. */
  matches?: string[]
  /** Id of the token that owns the identity. */
  tokenId?: string
  /** Whole seconds after which a retry makes sense. */
  retryAfterSeconds?: number
}

/** A name as part of a JSON pointer (RFC 6901), of a long one its beginning. */
export function escapePointer(name: string): string {
  return name.slice(0, 64).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')
}

/** A refusal that the caller is told of. `detail` never carries a secret. */
export class VaultError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(code: ErrorCode, detail: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'VaultError'
    this.code = code
    this.facts = facts
  }
}

/** Without a valid key, and for a caller whose namespace was deleted under it, and its key with it. */
export function unauthorized(): VaultError {
  return new VaultError('unauthorized', 'Send a valid API key: Authorization: Bearer tv_…')
}

export function notFound(): VaultError {
  return new VaultError('not_found', 'There is no such token.')
}

/** `fault` is what is wrong with what `pointer` points to, without a subject. */
export function invalidRequest(detail: string, pointer: string, fault: string): VaultError {
  return new VaultError('invalid_request', detail, { errors: [{ pointer, detail: fault }] })
}

/** For what passes by itself, where nobody says when. */
export const RETRY_AFTER_SECONDS = 2

/** Nothing is wrong with the request: as it is, it may be sent again soon. */
export function storageUnavailable(detail: string, cause?: unknown): VaultError {
  const facts = { retryAfterSeconds: RETRY_AFTER_SECONDS }
  return new VaultError('storage_unavailable', `${detail} Try again.`, facts, { cause })
}

export function stopping(): VaultError {
  return storageUnavailable('The vault is stopping.')
}

/** A fault that stops the start: shown to the operator as it is, one fault a line. */
export class StartupError extends Error {
  readonly faults: readonly string[]

  constructor(...faults: string[]) {
    super(faults.join('\n'))
    this.name = 'StartupError'
    this.faults = faults
  }
}

/** Where the operating system says why; any other error stays what it is. */
export function unreadableFile(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  return code === undefined ? error : new StartupError(`${path}: cannot be read (${code})`)
}

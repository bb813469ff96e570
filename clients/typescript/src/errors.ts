/** Where a request is wrong: a JSON pointer, and what is wrong there. */
export interface FieldError {
  pointer: string
  detail: string
}

/** What an error says beyond its status and code; each a field of the service's problem document. */
export interface TokenVaultErrorFacts {
  requestId?: string | undefined
  tokenId?: string | undefined
  matches?: string[] | undefined
  retryAfterSeconds?: number | undefined
  errors?: FieldError[] | undefined
  cause?: unknown
}

/**
 * The vault refused, or could not be asked. `code` is the service's own (`not_found`, `reauth_required`,
 * `insufficient_scope`, …) or one of the client's, with status 0: `unreachable` (no connection, or it broke),
 * `timeout` (no answer in time) and `invalid_answer` (something answered that is not a token vault, or has no such
 * path: the url is wrong; here with the status that it answered). The message is the detail, with each fault of a
 * malformed request. Carries no secret and no API key.
 */
export class TokenVaultError extends Error {
  override readonly name = 'TokenVaultError'
  /** HTTP status; 0 where there was no answer. */
  readonly status: number
  readonly code: string
  readonly detail: string
  /** Finds the request in the vault's log. */
  readonly requestId: string | undefined
  /** The token that owns the identity, for `conflict`. */
  readonly tokenId: string | undefined
  /** Ids of the tokens that match, for `ambiguous_match`. */
  readonly matches: string[] | undefined
  /** After how many seconds a retry makes sense. */
  readonly retryAfterSeconds: number | undefined
  /** Where the request is wrong, by JSON pointer, for `invalid_request`. */
  readonly errors: FieldError[] | undefined

  constructor(status: number, code: string, detail: string, facts: TokenVaultErrorFacts = {}) {
    super(
      messageOf(status, detail, facts.errors),
      facts.cause === undefined ? undefined : { cause: facts.cause },
    )
    this.status = status
    this.code = code
    this.detail = detail
    this.requestId = facts.requestId
    this.tokenId = facts.tokenId
    this.matches = facts.matches
    this.retryAfterSeconds = facts.retryAfterSeconds
    this.errors = facts.errors
  }
}

function messageOf(status: number, detail: string, errors: FieldError[] = []): string {
  if (status !== 400 || errors.length === 0) return detail
  const faults = errors.map((error) => `${error.pointer} ${error.detail}`.trim())
  return `${detail.replace(/\.$/, '')}: ${faults.join('; ')}.`
}

export const isNotFound = (error: unknown) => error instanceof TokenVaultError && error.code === 'not_found'

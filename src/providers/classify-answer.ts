import type { RefreshOutcome } from '../domain/provider.ts'
import { Secret } from '../domain/secret.ts'
import { isOrigin } from './endpoint-url.ts'
import { safeCode, verdictOf } from './error-codes.ts'
import { passingOutcome } from './passing-outcome.ts'

/** An answer of a token endpoint, as far as it is looked at. */
export interface Answer {
  status: number
  /** The Retry-After header. */
  retryAfter: string | null
  body: string
}

type Fields = Record<string, unknown>

const DAY_SECONDS = 86_400

const LONGEST_TOKEN = 16_384
const LONGEST_TEXT = 1024
/** Ten years: an expiry beyond is a mistake, not a life. */
export const LONGEST_LIFE_SECONDS = 315_360_000

/**
 * What an answer to a renewal, or to the exchange of a code, means. The body decides, since providers report dead grants
 * with 200; only 429 and 5xx speak for themselves.
 *
 * A token that is no token makes the answer nonsense. Anything else that makes no sense is left out, for a provider
 * that rotates has by now replaced the refresh token: an odd scope or expiry must not lose it. So `expires_in` that is
 * not a number, not positive or over ten years is null, which means that the provider did not say.
 */
export function classifyAnswer(answer: Answer, now: Date): RefreshOutcome {
  const { status } = answer
  const fields = fieldsOf(answer.body)
  const code = errorCodeOf(fields)
  const passing = passingOutcome(answer, code, now)
  if (passing !== null) return passing
  const isRefusal = status < 200 || status > 299
  if (fields === null) return nonsense('not_json', isRefusal)
  if (isDeadInDisguise(fields)) return { kind: 'dead', error: safeCode(code, 'refused') }
  const verdict = verdictOf(code)
  if (verdict === 'dead' || verdict === 'client_refused' || verdict === 'misconfigured') {
    return { kind: verdict, error: safeCode(code, 'refused') }
  }
  if (fields['error']) return nonsense(safeCode(code, 'unknown_error'), true)
  if (isRefusal) return nonsense(`http_${status}`, true)
  return renewal(fields)
}

const nonsense = (error: string, failed = false): RefreshOutcome => ({
  kind: 'nonsense',
  error,
  ...(failed && { failed }),
})

/**
 * Atlassian has called a dead refresh token a refused client, which would stop all tokens of that client. HubSpot's
 * older endpoints say it in their status.
 */
function isDeadInDisguise({ error, error_description: description, status }: Fields): boolean {
  if (status === 'BAD_REFRESH_TOKEN') return true
  return error === 'unauthorized_client' && description === 'refresh_token is invalid'
}

/** Whatever the content type says: JSON, or the form encoding that GitHub answers in. Null for anything else. */
export function fieldsOf(body: string): Fields | null {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
  } catch {
    return formOf(body)
  }
}

/** Null for what is not a form of a token endpoint, as a page, or prose. */
export function formOf(body: string): Fields | null {
  const text = body.trim()
  if (!/^[\w.-]+=[^<>{}\r\n]*$/.test(text)) return null
  if (/\s/.test(text) && !text.split('&').every(isPair)) return null
  const form = Object.fromEntries(new URLSearchParams(text))
  return 'access_token' in form || 'error' in form ? form : null
}

/** Blanks that should have been encoded are no harm, but in a name, a token or a code, which have none. */
function isPair(pair: string): boolean {
  return /^[\w.-]+=/.test(pair) && !/^(access_token|refresh_token|error)=.*\s/.test(pair)
}

/** Null where it reports no error, or not by a code. */
export function errorCodeOf(fields: Fields | null): string | null {
  const error = fields?.['error']
  return typeof error === 'string' && error !== '' ? error : null
}

function renewal(fields: Fields): RefreshOutcome {
  const accessToken = tokenOf(fields['access_token'])
  const refreshToken = tokenOf(fields['refresh_token'])
  if (accessToken === null) return nonsense('no_access_token')
  if (accessToken === MALFORMED) return nonsense('malformed_access_token')
  if (refreshToken === MALFORMED) return nonsense('malformed_refresh_token')
  const apiDomain = textOf(fields['api_domain'])
  return {
    kind: 'renewed',
    accessToken: new Secret(accessToken),
    expiresInSeconds: lifeOf(fields),
    refreshToken: refreshToken === null ? null : new Secret(refreshToken),
    tokenType: textOf(fields['token_type']),
    scope: textOf(fields['scope']),
    apiDomain: apiDomain !== null && isOrigin(apiDomain) ? apiDomain : null,
  }
}

const MALFORMED = Symbol('malformed')

/** A blank string and null mean that there is none. */
function tokenOf(value: unknown): string | null | typeof MALFORMED {
  if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) return null
  return isPlainText(value, LONGEST_TOKEN) ? value : MALFORMED
}

function textOf(value: unknown): string | null {
  return value !== '' && isPlainText(value, LONGEST_TEXT) ? value : null
}

function isPlainText(value: unknown, longest: number): value is string {
  return (
    typeof value === 'string' && value.length <= longest && value.isWellFormed() && !/\p{Cc}/u.test(value)
  )
}

/**
 * Where Zoho says `expires_in_sec` besides, its `expires_in` is in milliseconds. Where that one makes no sense, the
 * number decides: Zoho's tokens live for an hour, and over a day of seconds it can only be milliseconds.
 */
function lifeOf(fields: Fields): number | null {
  const { expires_in: expiresIn, expires_in_sec: inSeconds } = fields
  const life = lifeSeconds(expiresIn, 1)
  if (inSeconds === undefined || inSeconds === null || inSeconds === '') return life
  const isPlain = life !== null && life <= DAY_SECONDS
  return lifeSeconds(inSeconds, 1) ?? (isPlain ? life : lifeSeconds(expiresIn, 1000))
}

function lifeSeconds(value: unknown, perSecond: number): number | null {
  const isNumeric =
    typeof value === 'number' || (typeof value === 'string' && /^\d{1,15}(\.\d+)?$/.test(value))
  const seconds = isNumeric ? Math.floor(Number(value) / perSecond) : NaN
  return seconds >= 1 && seconds <= LONGEST_LIFE_SECONDS ? seconds : null
}

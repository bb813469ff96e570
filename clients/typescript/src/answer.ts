import { TokenVaultError } from './errors.ts'
import type { FieldError, TokenVaultErrorFacts } from './errors.ts'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined)

const listOf = (value: unknown): unknown[] | undefined => (Array.isArray(value) ? value : undefined)

const isFieldError = (value: unknown): value is FieldError =>
  isObject(value) && typeof value['pointer'] === 'string' && typeof value['detail'] === 'string'

/** The fields by which the vault's answers are told from another server's, with what each holds. */
const TELLING = {
  id: (value: unknown) => typeof value === 'string',
  access_token: (value: unknown) => typeof value === 'string',
  tokens: Array.isArray,
  deleted: Number.isInteger,
}

/** What a call's answer is told by: one of its fields; 204 where it has none. */
export type ToldBy = keyof typeof TELLING | 204

const isTold = (answer: Record<string, unknown>, by: ToldBy) => by !== 204 && TELLING[by](answer[by])

/** Whole seconds of a Retry-After header, given in seconds or as a date. */
function retryAfterOf(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000)
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}

function factsOf(response: Response, problem: Record<string, unknown>): TokenVaultErrorFacts {
  return {
    requestId: textOf(problem['request_id']) ?? response.headers.get('x-request-id') ?? undefined,
    tokenId: textOf(problem['token_id']),
    matches: listOf(problem['matches']) as string[] | undefined,
    retryAfterSeconds: retryAfterOf(response),
    errors: listOf(problem['errors'])?.filter(isFieldError),
  }
}

function notTheVault(response: Response, origin: string): TokenVaultError {
  const detail = `${origin} answered ${response.status} with something that is not a token vault's: is the url right?`
  return new TokenVaultError(response.status, 'invalid_answer', detail, factsOf(response, {}))
}

/** A wrong address would pass for a token that is not there: only of a path that is no route, a 404 has `errors`. */
function isNoRoute(problem: Record<string, unknown>): boolean {
  return problem['code'] === 'not_found' && listOf(problem['errors']) !== undefined
}

function noSuchRoute(response: Response, problem: Record<string, unknown>, url: string): TokenVaultError {
  const detail = `The token vault has no route ${url}: is the url right, and does a proxy before it change the path?`
  return new TokenVaultError(response.status, 'invalid_answer', detail, factsOf(response, problem))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What was asked. */
export interface Asked {
  origin: string
  /** Without the query. */
  url: string
  toldBy: ToldBy
}

/**
 * The JSON that the vault answered, null for 204. Throws a TokenVaultError for a problem document and for whatever
 * is not the vault's, such as a proxy's page.
 */
export function readAnswer(response: Response, text: string, { origin, url, toldBy }: Asked): unknown {
  if (toldBy === 204 && response.status === 204) return null
  const body = parse(text)
  if (!isObject(body) || (response.ok && !isTold(body, toldBy))) throw notTheVault(response, origin)
  if (response.ok) return body
  const code = textOf(body['code'])
  if (code === undefined) throw notTheVault(response, origin)
  if (isNoRoute(body)) throw noSuchRoute(response, body, url)
  const detail = textOf(body['detail']) ?? textOf(body['title']) ?? code
  throw new TokenVaultError(response.status, code, detail, factsOf(response, body))
}

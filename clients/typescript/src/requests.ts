import { TokenVaultError } from './errors.ts'
import type { FreshOptions, ListOptions, TokenFilter, TokenToSave } from './types.ts'

const TOKEN_ID = /^[A-Za-z0-9._:-]{1,128}$/

/** The path of one token. An id that no token can have is answered as the vault would: there is none. */
export function tokenPath(id: string): string {
  if (!TOKEN_ID.test(id) || id === '.' || id === '..') {
    throw new TokenVaultError(404, 'not_found', 'There is no token with this id.')
  }
  return `/v1/tokens/${encodeURIComponent(id)}`
}

type Parameters = Record<string, string | number | true | Date | null | undefined>

/** `path` with the parameters that are given; dates as RFC 3339. */
export function withQuery(path: string, parameters: Parameters): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === null) continue
    query.set(name, value instanceof Date ? value.toISOString() : String(value))
  }
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}

export function listPath(options: ListOptions, cursor: string | undefined): string {
  return withQuery('/v1/tokens', { ...options, cursor })
}

export function deleteManyPath(filter: TokenFilter | { all: true }): string {
  return withQuery('/v1/tokens', { ...filter })
}

/** As the vault takes it: in whole seconds, and no fewer than are wanted. */
export function lifeWanted({ minTtl }: FreshOptions = {}) {
  const seconds = minTtl && Math.ceil(minTtl)
  // JSON would make null of it, and so ask for no life at all.
  if (typeof seconds === 'number' && !Number.isFinite(seconds))
    throw new TypeError('minTtl must be a number of seconds, such as 60')
  return { min_ttl: seconds }
}

/**
 * The token to save, its life shortened by the seconds that earlier attempts took. What is no life goes to the vault
 * as it was given, which says what is wrong with it.
 */
export function agedBy(token: TokenToSave, elapsedSeconds: number): TokenToSave {
  const { expires_in: given } = token
  if (typeof given !== 'number' || !(given > 0) || elapsedSeconds === 0) return token
  return { ...token, expires_in: Math.max(0, given - elapsedSeconds) }
}

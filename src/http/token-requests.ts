import type { DeleteQuery, ExchangeBody, FindBody, ListQuery } from '../contract/tokens.ts'
import { SaveBody } from '../contract/tokens.ts'
import type { Caller } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import type { PartialToken } from '../domain/criterion.ts'
import type { VaultError } from '../domain/errors.ts'
import { invalidRequest } from '../domain/errors.ts'
import type { CodeToExchange } from '../domain/exchange.ts'
import type { IfVersion } from '../domain/if-version.ts'
import type { SaveRequest } from '../domain/save.ts'
import { Secret } from '../domain/secret.ts'
import type { Page, TokenFilter } from '../domain/token-store.ts'
import { DEFAULT_PROVIDER } from '../domain/token.ts'
import { readBody } from './validation.ts'

type Given = string | null | undefined

export const text = (given: Given): string | null => (given === '' ? null : (given ?? null))

function secret(given: Given): Secret | null {
  const value = text(given)
  return value === null ? null : new Secret(value)
}

/** A refusal that names the field. */
function invalidField(pointer: string, fault: string): VaultError {
  return invalidRequest('The request is malformed.', pointer, fault)
}

/** RFC 3339 has years of four digits; an offset can lead past them. */
const LAST_MOMENT = new Date('9999-12-31T23:59:59.999Z')

/** @throws VaultError where the calendar has no such day */
export function time(pointer: string, given: Given): Date | null {
  const value = text(given)
  if (value === null) return null
  const parsed = new Date(value.toUpperCase())
  const day = Number(value.slice(8, 10))
  const daysOfMonth = new Date(Date.UTC(Number(value.slice(0, 4)), Number(value.slice(5, 7)), 0)).getUTCDate()
  if (!(parsed <= LAST_MOMENT) || day > daysOfMonth) throw invalidField(pointer, 'is no date of the calendar')
  return parsed
}

export function toPartialToken(body: FindBody): PartialToken {
  return {
    id: text(body.id),
    provider: text(body.provider),
    userName: text(body.user_name),
    clientId: text(body.client_id),
    clientSecret: secret(body.client_secret),
    grantToken: secret(body.grant_token),
    refreshToken: secret(body.refresh_token),
    accessToken: secret(body.access_token),
  }
}

export function toSaveRequest(body: SaveBody): SaveRequest {
  const expiresAt = time('/expires_at', body.expires_at)
  const expiresInSeconds = body.expires_in ?? null
  if (expiresAt !== null && expiresInSeconds !== null) {
    throw invalidField('/expires_in', 'must not be given together with expires_at')
  }
  return {
    ...toPartialToken(body),
    tokenType: text(body.token_type),
    scope: text(body.scope),
    redirectUrl: text(body.redirect_url),
    apiDomain: text(body.api_domain),
    expiresAt,
    expiresInSeconds,
  }
}

/**
 * What `POST /v1/tokens` would make of this body, for who saves by another way.
 * @throws VaultError `invalid_request` with a pointer for each fault
 */
export function readSaveRequest(body: object): SaveRequest {
  return toSaveRequest(readBody(SaveBody, body))
}

export function toCodeToExchange(body: ExchangeBody): CodeToExchange {
  return {
    provider: text(body.provider) ?? DEFAULT_PROVIDER,
    clientId: body.client_id,
    clientSecret: secret(body.client_secret),
    grantToken: new Secret(body.grant_token),
    codeVerifier: secret(body.code_verifier),
    redirectUrl: text(body.redirect_url),
    userName: text(body.user_name),
    apiDomain: text(body.api_domain),
  }
}

function toFilter(query: ListQuery | DeleteQuery): TokenFilter {
  return {
    userName: text(query.user_name),
    clientId: text(query.client_id),
    provider: text(query.provider),
    status: query.status ?? null,
    expiresBefore: time('/expires_before', query.expires_before),
  }
}

export const DEFAULT_LIMIT = 100

export function toPage(caller: Caller, query: ListQuery): Page {
  return {
    filter: toFilter(query),
    limit: query.limit ?? DEFAULT_LIMIT,
    after: text(query.cursor),
    secrets: query.include === 'secrets' && allows(caller, 'tokens:use'),
  }
}

/** A filter that passes everything must be asked for by name: a forgotten one deletes nothing. */
export function toDeleteFilter(query: DeleteQuery): TokenFilter {
  const filter = toFilter(query)
  const narrows = Object.values(filter).some((value) => value !== null)
  if (narrows === (query.all === 'true')) {
    throw invalidField('/all', 'give either a filter or all=true')
  }
  return filter
}

const ENTITY_TAG = /"([^"]*)"/g
const VERSION = /^[1-9]\d*$/

/**
 * RFC 9110, section 13.1.1: entity tags are versions; one that is none matches nothing. A proxy that compresses answers
 * makes their tags weak: they count all the same.
 */
export function toIfVersion(header: string | undefined): IfVersion {
  if (header === undefined) return 'any'
  if (header === '*') return 'exists'
  const tags = Array.from(header.matchAll(ENTITY_TAG), ([, tag = '']) => tag)
  return tags.filter((tag) => VERSION.test(tag)).map(Number)
}

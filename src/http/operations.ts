import { Type } from 'typebox'
import { IdParameter, IfMatch } from '../contract/common.ts'
import { EventPage, EventsQuery } from '../contract/events.ts'
import { KeyBody, KeyList, NewKey } from '../contract/keys.ts'
import {
  AccessToken,
  DeleteQuery,
  Deleted,
  ExchangeBody,
  FindBody,
  ListQuery,
  MinTtlQuery,
  NoQuery,
  SaveBody,
  Token,
  TokenPage,
} from '../contract/tokens.ts'

// The `problems` of an operation are those it can be answered with beside those of every route.

/** What a body can be answered with, also where none is wanted. */
const BODY = [400, 413, 415]
/** What a wish for a fresh access token can be answered with. */
const FRESH = [404, 409, 502]

const tokens = { tags: ['tokens'], querystring: NoQuery }
const accessTokens = { tags: ['access tokens'], querystring: NoQuery }

export const findToken = {
  ...tokens,
  operationId: 'findToken',
  summary: 'Find a token by a partial token',
  body: FindBody,
  response: { 200: Token },
  problems: [...BODY, ...FRESH],
}

export const getToken = {
  ...tokens,
  operationId: 'getToken',
  summary: 'Get a token by its id',
  params: IdParameter,
  querystring: MinTtlQuery,
  response: { 200: Token },
  problems: [400, ...FRESH],
}

export const saveToken = {
  ...tokens,
  operationId: 'saveToken',
  summary: 'Save a token: update the one that it matches, or make a new one',
  headers: IfMatch,
  body: SaveBody,
  response: { 200: Token, 201: Token },
  problems: [...BODY, 409, 412, 422],
}

export const deleteToken = {
  ...tokens,
  operationId: 'deleteToken',
  summary: 'Delete a token',
  params: IdParameter,
  headers: IfMatch,
  response: { 204: Type.Null({ description: 'Deleted' }) },
  problems: [...BODY, 404, 412],
}

export const listTokens = {
  ...tokens,
  operationId: 'listTokens',
  summary: 'List tokens, page by page',
  querystring: ListQuery,
  response: { 200: TokenPage },
  problems: [400],
}

export const deleteTokens = {
  ...tokens,
  operationId: 'deleteTokens',
  summary: 'Delete all tokens that a filter passes, or none',
  querystring: DeleteQuery,
  response: { 200: Deleted },
  problems: BODY,
}

export const refreshToken = {
  ...tokens,
  operationId: 'refreshToken',
  summary: 'Renew the access token now',
  params: IdParameter,
  headers: IfMatch,
  response: { 200: Token },
  problems: [...BODY, 412, ...FRESH],
}

export const exchangeCode = {
  ...tokens,
  operationId: 'exchangeCode',
  summary: 'Trade an authorization code at the provider, once, and save the result',
  body: ExchangeBody,
  response: { 200: Token, 201: Token },
  problems: [...BODY, 409, 422, 502],
}

export const revokeToken = {
  ...tokens,
  operationId: 'revokeToken',
  summary: 'Revoke a token at the provider, then delete it',
  params: IdParameter,
  headers: IfMatch,
  response: { 204: Type.Null({ description: 'Revoked and deleted' }) },
  problems: [...BODY, 404, 412, 502],
}

export const getAccessToken = {
  ...accessTokens,
  operationId: 'getAccessToken',
  summary: 'A fresh access token, by the id of the token',
  params: IdParameter,
  querystring: MinTtlQuery,
  response: { 200: AccessToken },
  problems: [400, ...FRESH],
}

export const findAccessToken = {
  ...accessTokens,
  operationId: 'findAccessToken',
  summary: 'A fresh access token, by a partial token',
  body: FindBody,
  response: { 200: AccessToken },
  problems: [...BODY, ...FRESH],
}

const events = { tags: ['events'] }

export const listTokenEvents = {
  ...events,
  operationId: 'listTokenEvents',
  summary: 'What happened to a token, newest first, also after it was deleted',
  params: IdParameter,
  querystring: EventsQuery,
  response: { 200: EventPage },
  problems: [400, 404],
}

export const listEvents = {
  ...events,
  operationId: 'listEvents',
  summary: 'What happened in the namespace, newest first; to its keys only for those with admin',
  querystring: EventsQuery,
  response: { 200: EventPage },
  problems: [400],
}

const keys = { tags: ['keys'], querystring: NoQuery }

export const createKey = {
  ...keys,
  operationId: 'createKey',
  summary: 'Make an API key',
  body: KeyBody,
  response: { 201: NewKey },
  problems: BODY,
}

export const listKeys = {
  ...keys,
  operationId: 'listKeys',
  summary: 'List the API keys of the namespace',
  response: { 200: KeyList },
  problems: [400],
}

export const revokeKey = {
  ...keys,
  operationId: 'revokeKey',
  summary: 'Revoke an API key, on every replica within 5 seconds',
  params: IdParameter,
  response: { 204: Type.Null({ description: 'Revoked' }) },
  problems: [...BODY, 404],
}

const service = { tags: ['service'], problems: [400] }
const Healthy = Type.Object({ status: Type.Literal('ok') })

export const healthz = {
  ...service,
  operationId: 'healthz',
  summary: 'The process lives',
  response: { 200: Healthy },
}

export const readyz = {
  ...service,
  operationId: 'readyz',
  summary: 'It can serve',
  response: { 200: Healthy },
  problems: [400, 503],
}

export const openapi = {
  ...service,
  operationId: 'openapi',
  summary: 'This document',
  response: { 200: Type.Unsafe({ type: 'object', additionalProperties: true, description: 'OpenAPI 3.1' }) },
}

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export const metrics = {
  ...service,
  operationId: 'metrics',
  summary: 'What is counted, for Prometheus',
  response: {
    200: Type.Unsafe<string>({
      description: 'Prometheus text format',
      content: { 'text/plain': { schema: { type: 'string' } } },
    }),
  },
}

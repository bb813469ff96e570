import type { Static } from 'typebox'
import { Type } from 'typebox'
import {
  Id,
  PRINTABLE,
  QuerySeconds,
  Seconds,
  SecretText,
  Text,
  TEXT_LIMIT,
  Time,
  TOKEN_LIMIT,
} from './common.ts'

const closed = { additionalProperties: false }

const SavedFields = Type.Object({
  id: Id({ description: 'Of the token; a save makes one where it is absent.' }),
  provider: Text({ description: 'Name of a provider; a new token gets `zoho` by default.' }),
  user_name: Text({ description: "The SDKs' user signature; stored as given, compared in lower case." }),
  client_id: Text(),
  client_secret: SecretText(),
  grant_token: SecretText({ description: 'The authorization code.' }),
  refresh_token: SecretText(),
  access_token: SecretText(),
  token_type: Text(),
  scope: Text(),
  redirect_url: Text(),
  api_domain: Text({
    description: 'Origin of the API; chooses the data centre of a provider that has several.',
  }),
  expires_at: Time({ description: 'When the access token expires. Not together with `expires_in`.' }),
  expires_in: Seconds({ description: 'Seconds from now until the access token expires.' }),
})

const MIN_TTL =
  'Seconds of life that the access token is to have left, renewed first if it must be; over four fifths of its own life count as four fifths. Needs the scope tokens:use.'

export const SaveBody = Type.Partial(SavedFields, {
  ...closed,
  description: 'Fields present overwrite; absent, empty and null ones stay as they are.',
})
export type SaveBody = Static<typeof SaveBody>

const required = (limit: number, description: string) =>
  Type.String({ minLength: 1, maxLength: limit, pattern: PRINTABLE, description })

export const ExchangeBody = Type.Object(
  {
    provider: Type.Optional(Text({ description: 'Name of a provider; `zoho` by default.' })),
    client_id: required(TEXT_LIMIT, 'Of the client that the code was given to.'),
    client_secret: Type.Optional(SecretText()),
    grant_token: required(TOKEN_LIMIT, 'The authorization code.'),
    code_verifier: Type.Optional(
      SecretText({ description: 'Of PKCE (RFC 7636); sent to the provider, and not kept.' }),
    ),
    redirect_url: Type.Optional(Text({ description: 'As in the request for the code.' })),
    user_name: Type.Optional(
      Text({ description: "The SDKs' user signature; the token becomes this user's." }),
    ),
    api_domain: Type.Optional(
      Text({ description: 'Origin of the API; chooses the data centre that gave the code.' }),
    ),
  },
  { ...closed, description: 'An authorization code, and what it was given for.' },
)
export type ExchangeBody = Static<typeof ExchangeBody>

export const FindBody = Type.Partial(
  Type.Object({ ...SavedFields.properties, min_ttl: Seconds({ description: MIN_TTL }) }),
  {
    ...closed,
    description:
      'A partial token. The criterion is the first given of: id; user_name; access_token where no client is given; grant_token, then refresh_token; access_token. client_id and provider narrow it; what else is given plays no part.',
  },
)
export type FindBody = Static<typeof FindBody>

export const MinTtlQuery = Type.Object(
  { min_ttl: Type.Optional(QuerySeconds({ description: MIN_TTL })) },
  closed,
)

/** Of a route that knows no parameter. */
export const NoQuery = Type.Object({}, closed)

const STATUSES = ['active', 'failing', 'reauth_required'] as const
const Status = Type.Unsafe<(typeof STATUSES)[number]>({ type: 'string', enum: STATUSES })

const filters = {
  user_name: Type.Optional(Text()),
  client_id: Type.Optional(Text()),
  provider: Type.Optional(Text()),
  status: Type.Optional(Status),
  expires_before: Type.Optional(Time({ description: 'Access tokens that expire before this time.' })),
}

export const ListQuery = Type.Object(
  {
    ...filters,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Id({ description: '`next_cursor` of the page before.' })),
    include: Type.Optional(
      Type.Unsafe<'secrets'>({
        type: 'string',
        enum: ['secrets'],
        description: 'With `secrets` the secrets that the key may see are in the answer.',
      }),
    ),
  },
  closed,
)
export type ListQuery = Static<typeof ListQuery>

export const DeleteQuery = Type.Object(
  {
    ...filters,
    all: Type.Optional(
      Type.Unsafe<'true'>({
        type: 'string',
        enum: ['true'],
        description: 'Every token of the namespace.',
      }),
    ),
  },
  closed,
)
export type DeleteQuery = Static<typeof DeleteQuery>

const LastError = Type.Object({
  code: Type.String(),
  detail: Type.String(),
  at: Type.String({ format: 'date-time' }),
  attempts: Type.Integer({ description: 'Failures in a row.' }),
})

const secret = (scope: string) => Type.Optional(Type.String({ description: `Only for keys with ${scope}.` }))
const instant = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))
const optionalText = () => Type.Optional(Type.String())

export const Token = Type.Object(
  {
    id: Type.String(),
    provider: Type.String(),
    user_name: optionalText(),
    client_id: optionalText(),
    client_secret: secret('tokens:read'),
    refresh_token: secret('tokens:read'),
    grant_token: secret('tokens:read'),
    access_token: secret('tokens:use'),
    token_type: optionalText(),
    scope: optionalText(),
    redirect_url: optionalText(),
    api_domain: optionalText(),
    expires_at: instant('When the access token expires; absent where unknown.'),
    expires_in: Type.Optional(Type.Integer({ description: 'The whole seconds until then.' })),
    status: Status,
    refreshable: Type.Boolean({ description: 'It has a refresh token and a known provider.' }),
    refresh_due_at: instant('When the vault will renew it.'),
    last_error: Type.Optional(LastError),
    version: Type.Integer({ description: 'Grows by 1 with every change; also the ETag.' }),
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
    refreshed_at: instant('When the vault renewed it last.'),
    last_used_at: instant('When an access token was given out last; written at most hourly.'),
  },
  { title: 'Token' },
)
export type Token = Static<typeof Token>

export const TokenPage = Type.Object({
  tokens: Type.Array(Token),
  next_cursor: Type.Optional(
    Type.String({ description: 'Absent on the last page; a page before it may hold fewer than `limit`.' }),
  ),
})

export const Deleted = Type.Object({ deleted: Type.Integer() })

export const AccessToken = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.String(),
    expires_in: Type.Optional(Type.Integer({ description: 'Whole seconds left; absent where unknown.' })),
    expires_at: instant('When the access token expires; absent where unknown.'),
    scope: optionalText(),
    api_domain: optionalText(),
    id: Type.String({ description: 'Of the token.' }),
  },
  { title: 'AccessToken' },
)
export type AccessToken = Static<typeof AccessToken>

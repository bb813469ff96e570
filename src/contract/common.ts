import { Type } from 'typebox'

/** No control character and no lone surrogate: what Postgres could not keep, or a log would choke on. */
export const PRINTABLE = '^[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*$'
export const TEXT_LIMIT = 1024
export const TOKEN_LIMIT = 16_384

type Options = Record<string, unknown>

/** Text of at most 1,024 characters; empty or null means absent. */
export const Text = (options: Options = {}) =>
  nullable({ maxLength: TEXT_LIMIT, pattern: PRINTABLE, ...options })

/** A token or secret of at most 16,384 characters; empty or null means absent. */
export const SecretText = (options: Options = {}) =>
  nullable({ maxLength: TOKEN_LIMIT, pattern: PRINTABLE, ...options })

function nullable(options: Options) {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], ...options })
}

const ID = '[A-Za-z0-9._:-]'
const ID_OR_EMPTY = `^${ID}{0,128}$`
const ID_ALONE = `^${ID}{1,128}$`
export const Id = (options: Options = {}) => nullable({ pattern: ID_OR_EMPTY, ...options })
export const IdParameter = Type.Object({ id: Type.String({ pattern: ID_ALONE }) })

const ENTITY_TAG = '(?:W/)?"[ !#-~\\u0080-\\u00ff]*"'
const ENTITY_TAGS = `^(?:\\*|${ENTITY_TAG}(?:[ \\t]*,[ \\t]*${ENTITY_TAG})*)$`
/** RFC 9110, section 13.1.1. */
export const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      pattern: ENTITY_TAGS,
      description: 'The ETag last seen, in its quotes; `*` for any.',
    }),
  ),
})

const DATE = '(?:19[7-9]\\d|[2-9]\\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])'
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?'
const OFFSET = '(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)'
const RFC3339 = `${DATE}[Tt]${CLOCK}${OFFSET}`
const MOMENT = '2030-01-31T12:00:00.000Z'
const TIME_OR_EMPTY = `^(?:${RFC3339})?$`
export const TIME_OR_NEVER = `^(?:never|${RFC3339})?$`

/** RFC 3339; empty or null means absent. */
export const Time = (options: Options = {}) =>
  nullable({
    pattern: TIME_OR_EMPTY,
    examples: [MOMENT],
    ...options,
  })

const CENTURY_SECONDS = 3_155_760_000

/** Whole seconds; null means absent. */
export const Seconds = (options: Options = {}) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0, maximum: CENTURY_SECONDS, ...options })

/** The same in a query, where there is no null. */
export const QuerySeconds = (options: Options = {}) =>
  Type.Integer({ minimum: 0, maximum: CENTURY_SECONDS, ...options })

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
export const UUID_OR_EMPTY = `^(?:${UUID})?$`

/** What is wrong with a value that does not match. */
export const MISMATCHES: Readonly<Record<string, string>> = {
  [PRINTABLE]: 'holds a control character or half a surrogate pair',
  [ID_OR_EMPTY]: 'is no id: 1 to 128 of A-Z a-z 0-9 . _ : -',
  [ID_ALONE]: 'is no id: 1 to 128 of A-Z a-z 0-9 . _ : -',
  [ENTITY_TAGS]: 'is no list of entity tags in their quotes, such as "3"',
  [TIME_OR_EMPTY]: `is no time of RFC 3339, such as ${MOMENT}`,
  [TIME_OR_NEVER]: `is no time of RFC 3339, such as ${MOMENT}, nor never`,
  [UUID_OR_EMPTY]: 'is no next_cursor of the page before',
}

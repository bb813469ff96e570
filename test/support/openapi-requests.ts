import fc from 'fast-check'
import type { PlainRequest } from './keep-alive.ts'

export interface DocumentedRequest extends PlainRequest {
  /** The statuses that the document names for it; none where it may not be a request of that operation any more. */
  documented: string[]
}

interface Schema {
  type?: string | string[]
  enum?: string[]
  items?: Schema
  minimum?: number
  maximum?: number
  pattern?: string
  maxLength?: number
  properties?: Record<string, Schema>
  required?: string[]
}
export interface Operation {
  parameters?: { in: 'query' | 'path' | 'header'; name: string; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, unknown>
}

const PLAIN_TEXTS = [
  'a',
  'ann',
  'app',
  "o'neil",
  'ß',
  '%s',
  '?',
  'Ä,b',
  '👩‍👩‍👧',
  '0',
  'true',
  'null',
  '../x',
  '__proto__',
]
const SOME_UUID = '01a00000-0000-7000-8000-000000000000'
/** Often enough to be met again: found, in conflict, deleted. */
const OFTEN = ['a', 'id-1']
const ODD_TEXTS = [
  '\0',
  'a\nb',
  '\u0085',
  '\ud800',
  'x\udc00',
  '\u202e',
  'x'.repeat(1025),
  'x'.repeat(16_385),
  '%00',
  '%',
  ' ',
]
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom<unknown>(null, true, -1, 1.5, 1e30, 2 ** 53, [], {}, [[]], '', ...ODD_TEXTS),
  fc.constantFrom(3, 40, 400).map((depth) => nested(depth)),
)

function nested(depth: number): unknown {
  return Array.from({ length: depth }).reduce<unknown>((inner) => ({ a: [inner] }), '')
}

/** What the document allows. */
function validOf({ type, enum: choices, items, ...schema }: Schema): fc.Arbitrary<unknown> {
  if (choices) return fc.constantFrom(...choices)
  if (type === 'array') return fc.uniqueArray(validOf(items ?? {}), { minLength: 1, maxLength: 6 })
  if (type === 'integer' || type?.includes('integer')) {
    const { minimum: min = 0, maximum: max = 2 ** 31 } = schema
    return fc.oneof(fc.integer({ min, max: Math.min(max, min + 100) }), fc.constantFrom(min, max))
  }
  const { pattern = '', maxLength = 200 } = schema
  const allowed = new RegExp(pattern, 'u')
  const texts = [...PLAIN_TEXTS, '2030-01-31T12:00:00Z', 'never', 'id-1', SOME_UUID].filter((text) =>
    allowed.test(text),
  )
  const free = fc.string({ unit: 'grapheme', maxLength: Math.min(60, maxLength) })
  return fc.oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom(...OFTEN.filter((text) => allowed.test(text)), ...texts.slice(0, 1)),
    },
    { weight: 1, arbitrary: fc.constantFrom(...texts) },
    { weight: 1, arbitrary: free.filter((text) => allowed.test(text)) },
  )
}

/** Mostly what the document allows, so that what is wrong is not always the first thing. */
const valueOf = (schema: Schema) =>
  fc.oneof({ weight: 9, arbitrary: validOf(schema) }, { weight: 1, arbitrary: oddValue })

function bodyOf({ properties = {}, required = [] }: Schema): fc.Arbitrary<string> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, valueOf(schema)]),
  )
  const known = fc.record<Record<string, unknown>>(fields, { requiredKeys: required })
  const few = fc
    .tuple(
      known,
      fc.shuffledSubarray(Object.keys(properties)).map((names) => names.slice(0, 4)),
    )
    .map(([all, kept]) =>
      Object.fromEntries(
        Object.entries(all).filter(([name]) => kept.includes(name) || required.includes(name)),
      ),
    )
  const unknown = fc.dictionary(fc.string({ maxLength: 20 }), oddValue, { maxKeys: 2 })
  const object = fc.oneof(
    { weight: 8, arbitrary: few },
    { weight: 1, arbitrary: known },
    { weight: 1, arbitrary: fc.tuple(few, unknown).map(([one, other]) => ({ ...one, ...other })) },
    { weight: 1, arbitrary: oddValue },
  )
  return object.map((body) => JSON.stringify('provider' in properties ? atNoProvider(body) : body))
}

/** A provider that the vault does not know, so that nothing is sent to one. */
function atNoProvider(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { provider } = body as { provider?: unknown }
  return {
    ...body,
    provider: provider === undefined || provider === null || provider === '' ? 'nowhere' : provider,
  }
}

/** As a query or a path holds it: mostly encoded as it must be. */
const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed()
const encoded = (value: unknown) => encodeURIComponent(textOf(value).slice(0, 2000))
const JUNK = ['%', '%zz', '%c0%af', '&&', '=', '%00', '[]', '+', ';', '?']

/** Requests to an operation: most of them as the document wants them, others wrong in one or more ways. */
export function requestsOf(
  path: string,
  method: string,
  operation: Operation,
): fc.Arbitrary<DocumentedRequest> {
  const { parameters = [], requestBody, responses } = operation
  const schema = requestBody?.content['application/json']?.schema
  const inQuery = parameters.filter((parameter) => parameter.in === 'query')
  const ids = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...OFTEN) },
    { weight: 2, arbitrary: fc.constantFrom(...PLAIN_TEXTS) },
    { weight: 2, arbitrary: oddValue },
  )
  const query = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    {
      weight: 2,
      arbitrary: fc
        .subarray(inQuery.concat({ in: 'query', name: 'surprise', schema: {} }), {
          maxLength: inQuery.length === 0 ? 1 : 2,
        })
        .chain((chosen) =>
          fc.tuple(
            ...chosen.map(({ name, schema: of }) => valueOf(of).map((value) => `${name}=${encoded(value)}`)),
          ),
        ),
    },
  )
  const junk = fc.oneof(
    { weight: 20, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom(...JUNK) },
  )
  const ifMatch = fc.constantFrom(
    '',
    '',
    '',
    '"1"',
    '*',
    'W/"2"',
    '1',
    '"',
    ',',
    '"1", "2"',
    '"99999999999999999999"',
  )
  return fc
    .record({ id: ids, query, junk, ifMatch, body: schema ? bodyOf(schema) : fc.constant(undefined) })
    .map((made) => {
      const at = path.replace('{id}', () => encoded(made.id) || '%20') + made.junk
      return {
        method,
        path: made.query.length > 0 ? `${at}?${made.query.join('&')}` : at,
        headers: {
          ...(made.ifMatch !== '' && { 'if-match': made.ifMatch }),
          ...(made.body !== undefined && { 'content-type': 'application/json' }),
        },
        body: made.body,
        // A path that was spoilt may be another one, or none.
        documented: made.junk === '' ? Object.keys(responses) : [],
      }
    })
}

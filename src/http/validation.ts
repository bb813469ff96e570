import { Ajv } from 'ajv'
import type { FastifyError, FastifySchema, FastifySchemaCompiler } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { MISMATCHES } from '../contract/common.ts'
import { escapePointer, VaultError } from '../domain/errors.ts'

/** Fastify's own settings would drop unknown fields and turn 7 into "7". */
const ajv = new Ajv({
  allErrors: true,
  allowUnionTypes: true,
  removeAdditional: false,
  useDefaults: false,
  coerceTypes: false,
})

/**
 * A body that came by another way than a request.
 * @throws VaultError `invalid_request` with a pointer for each fault
 */
export function readBody<Schema extends TSchema>(schema: Schema, body: object): Static<Schema> {
  if (ajv.validate<Static<Schema>>(schema, body)) return body
  const errors = (ajv.errors ?? []).map((fault) => faultOf(fault))
  throw new VaultError('invalid_request', 'The request is malformed.', { errors })
}

type Fault = NonNullable<FastifyError['validation']>[number]

/** The field by JSON pointer. Ajv's messages speak of the schema, never of the value. */
export function faultOf({ instancePath, keyword, params, message = 'is invalid' }: Fault, context = 'body') {
  const extra = keyword === 'additionalProperties' ? params['additionalProperty'] : params['missingProperty']
  const pointer = typeof extra === 'string' ? `${instancePath}/${escapePointer(extra)}` : instancePath
  const detail =
    keyword === 'additionalProperties' ? 'is not a field of this request' : worded(message, params)
  return { pointer, detail: context === 'body' ? detail : `${detail} (${context})` }
}

/** A pattern would say little to a person, and that there are values nothing. */
function worded(message: string, { pattern, allowedValues }: Fault['params']): string {
  if (Array.isArray(allowedValues))
    return `must be ${allowedValues.length > 1 ? 'one of ' : ''}${allowedValues.join(', ')}`
  return (typeof pattern === 'string' ? MISMATCHES[pattern] : undefined) ?? message
}

export const compileValidator: FastifySchemaCompiler<FastifySchema> = ({ schema, httpPart }) => {
  const validate = ajv.compile(schema)
  if (httpPart !== 'querystring') return validate
  const { properties = {} } = schema as { properties?: Properties }
  return (given: Record<string, unknown>) => {
    const value = readQuery(given, properties)
    return validate(value) ? { value } : { error: validate.errors ?? [] }
  }
}

type Properties = Record<string, { type?: unknown }>

/** A query is all text. An empty parameter is absent, as an empty field of a body is, unless nobody knows its name. */
function readQuery(given: Record<string, unknown>, properties: Properties): Record<string, unknown> {
  const known = (name: string) => (Object.hasOwn(properties, name) ? properties[name] : undefined)
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name, value]) => value !== '' || known(name) === undefined)
      .map(([name, value]) => [name, known(name)?.type === 'integer' ? integerOf(value) : value]),
  )
}

function integerOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
}

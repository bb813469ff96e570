import { Ajv } from 'ajv'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'

const options = {
  allErrors: true,
  allowUnionTypes: true,
  removeAdditional: false,
  useDefaults: false,
} as const

/** Fastify's own settings would drop unknown fields and turn 7 into "7". A query, which is all text, may name numbers. */
const strict = new Ajv({ ...options, coerceTypes: false })
const query = new Ajv({ ...options, coerceTypes: true })

export const compileValidator: FastifySchemaCompiler<FastifySchema> = ({ schema, httpPart }) =>
  (httpPart === 'querystring' ? query : strict).compile(schema)

import type { ErrorObject } from 'ajv'
import { Ajv } from 'ajv'
import type { Static, TSchema } from 'typebox'
import { escapePointer } from '../domain/errors.ts'
import { FORMATS } from './provider-entry.ts'

const VARIABLE = 'TOKEN_VAULT_PROVIDERS_FILE'
/** Whoever mends a file wants to see all of its faults, each with the schema that it breaks. */
const ajv = new Ajv({ allErrors: true, verbose: true, formats: FORMATS })

/** What a schema of provider-entry.ts says of itself. */
interface Described {
  description?: string
  examples?: unknown[]
  properties?: Record<string, Described>
}

/** One line for the operator. It never shows the value at the pointer: a URL may carry a password. */
export function fault(pointer: string, wrong: string, example: unknown): string {
  const place = pointer === '' ? 'the file' : pointer.replace(/[^!-~]/g, '?').slice(0, 200)
  return `${VARIABLE}: ${place} ${wrong}, for example ${JSON.stringify(example)}`
}

export function fits<Schema extends TSchema>(schema: Schema, value: unknown): value is Static<Schema> {
  return ajv.validate(schema, value)
}

/** All that is wrong with a value by its schema, one line a place; `at` is the pointer to the value itself. */
export function schemaFaults(schema: TSchema, value: unknown, at = ''): string[] {
  const faults = new Map<string, string>()
  if (ajv.validate(schema, value)) return []
  for (const error of ajv.errors ?? []) {
    const [pointer, wrong, { examples }] = told(error)
    if (!faults.has(pointer)) faults.set(pointer, fault(at + pointer, wrong, examples?.[0]))
  }
  return [...faults.values()]
}

/** Where, what, and the schema that has an example. */
function told({ instancePath, keyword, params, parentSchema }: ErrorObject): [string, string, Described] {
  const schema = (parentSchema ?? {}) as Described
  const { description = 'otherwise', properties = {} } = schema
  const { missingProperty: missing, additionalProperty: unknown } = params as Record<string, string>
  if (keyword === 'required' && missing !== undefined) {
    const field = properties[missing] ?? {}
    return [`${instancePath}/${missing}`, `is missing and must be ${field.description ?? 'given'}`, field]
  }
  if (keyword === 'additionalProperties' && unknown !== undefined) {
    const wrong = `is unknown: the fields here are ${Object.keys(properties).join(', ')}`
    return [`${instancePath}/${escapePointer(unknown)}`, wrong, schema]
  }
  return [instancePath, `must be ${description}`, schema]
}

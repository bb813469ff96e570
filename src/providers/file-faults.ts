import type { TSchema } from 'typebox'
import { Settings } from 'typebox/system'
import { Errors, Pointer } from 'typebox/value'

const VARIABLE = 'TOKEN_VAULT_PROVIDERS_FILE'

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

/** All that is wrong with a value by its schema, one line a place; `at` is the pointer to the value itself. */
export function schemaFaults(schema: TSchema, value: unknown, at = ''): string[] {
  const faults = new Map<string, string>()
  const tell = (pointer: string, wrong: string, { examples }: Described) => {
    if (!faults.has(pointer)) faults.set(pointer, fault(at + pointer, wrong, examples?.[0]))
  }
  for (const error of allErrors(schema, value)) {
    const { instancePath, schemaPath } = error
    const node = nodeAt(schema, schemaPath.slice(1))
    if (error.keyword === 'required') {
      for (const name of error.params.requiredProperties) {
        const field = node.properties?.[name] ?? {}
        tell(`${instancePath}/${name}`, `is missing and must be ${field.description ?? 'given'}`, field)
      }
    } else if (error.keyword === 'boolean') {
      const owner = nodeAt(schema, schemaPath.slice(1).replace(/\/additionalProperties$/, ''))
      tell(
        instancePath,
        `is unknown: the fields here are ${Object.keys(owner.properties ?? {}).join(', ')}`,
        owner,
      )
    } else if (error.keyword !== 'additionalProperties') {
      tell(instancePath, `must be ${node.description ?? 'otherwise'}`, node)
    }
  }
  return [...faults.values()]
}

/** TypeBox stops after 8 errors. Whoever mends a file wants to see them all. */
function allErrors(schema: TSchema, value: unknown) {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: 1000 })
  try {
    return Errors(schema, value)
  } finally {
    Settings.Set({ maxErrors })
  }
}

function nodeAt(schema: TSchema, pointer: string): Described {
  return (pointer === '' ? schema : Pointer.Get(schema, pointer)) as Described
}

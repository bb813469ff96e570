import { readFileSync } from 'node:fs'

export type Environment = Readonly<Record<string, string | undefined>>

interface Range {
  least: number
  most: number
  /** What an error message shows. */
  example: number
}

/** What a value must be, in words that follow on "must be", and an example. */
export type Form = readonly [words: string, example: string]

/** Reads settings one by one and collects what is wrong with them, so that the operator sees every fault at once. */
export interface Settings {
  /** The variable's text, from `NAME_FILE` where that is given; null where it is unset or empty. */
  text(name: string): string | null
  /** Null where it is unset, or has a fault. */
  integer(name: string, range: Range): number | null
  choice<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice
  /** What the text parses to; `parse` returns null for what is not of the `form`. Null where it is unset. */
  parsed<Value>(name: string, parse: (text: string) => Value | null, form: Form): Value | null
  /** The text of the file that the variable names; null where it is unset. */
  file(name: string, example: string): string | null
  fault(name: string, wrong: string, example: string): void
  /** The same, unless the variable has a fault already: one that cannot be read is not called missing as well. */
  missing(name: string, wrong: string, example: string): void
  faults: readonly string[]
  /** The variables that begin so and were never asked for. */
  unasked(prefix: string): string[]
}

const SECRET_FILE_EXAMPLE = '/run/secrets/name'

/** Which variables may be given as `NAME_FILE`: those that carry a secret. */
export function createSettings(env: Environment, secretNames: readonly string[]): Settings {
  const faults: string[] = []
  const fault = (name: string, wrong: string, example: string) => {
    faults.push(`${name}: ${wrong}, for example ${name}=${example}`)
  }

  const { given, unasked } = lookUp(env)
  const file = (name: string, example: string): string | null => {
    const path = given(name)
    if (path === null) return null
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      fault(name, `the file that it names cannot be read (${String(code)})`, example)
      return null
    }
  }
  const text = (name: string): string | null => {
    const fileName = `${name}_FILE`
    if (!secretNames.includes(name) || given(fileName) === null) return given(name)
    if (given(name) !== null)
      fault(fileName, `is given together with ${name}: give one of them`, SECRET_FILE_EXAMPLE)
    const value = file(fileName, SECRET_FILE_EXAMPLE)?.trim() ?? null
    return value === '' ? null : value
  }

  return {
    text,
    file,
    fault,
    faults,
    unasked,
    missing(name, wrong, example) {
      const known = faults.some((line) => line.startsWith(`${name}:`) || line.startsWith(`${name}_FILE:`))
      if (!known) fault(name, wrong, example)
    },
    integer(name, { least, most, example }) {
      const value = text(name)
      if (value === null) return null
      const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN
      if (number >= least && number <= most) return number
      fault(name, `must be a whole number from ${least} to ${most}`, String(example))
      return null
    },
    choice(name, choices, fallback) {
      const value = text(name)
      const chosen = choices.find((choice) => choice === value)
      if (value !== null && chosen === undefined)
        fault(name, `must be one of ${choices.join(', ')}`, fallback)
      return chosen ?? fallback
    },
    parsed(name, parse, [words, example]) {
      const value = text(name)
      const result = value === null ? null : parse(value)
      if (value !== null && result === null) fault(name, `must be ${words}`, example)
      return result
    },
  }
}

/** An empty variable counts as unset, as in docker-compose. */
function lookUp(env: Environment) {
  const asked = new Set<string>()
  return {
    given: (name: string): string | null => {
      asked.add(name)
      const value = env[name]
      return value === undefined || value === '' ? null : value
    },
    unasked: (prefix: string) =>
      Object.keys(env).filter((name) => name.startsWith(prefix) && !asked.has(name)),
  }
}

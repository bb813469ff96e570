import { inspect } from 'node:util'

const SHOWN = '[secret]'

/**
 * A value that must not be printed. It shows as `[secret]` in JSON, in templates and in `util.inspect`, so that a
 * log line or an error message cannot carry it by accident. Only {@link Secret.reveal} gives it away, and what is
 * sealed is opened only then.
 */
export class Secret {
  readonly #open: () => string

  constructor(value: string | (() => string)) {
    this.#open = typeof value === 'string' ? () => value : value
  }

  reveal(): string {
    return this.#open()
  }

  equals(other: Secret | null): boolean {
    return this === other || (other !== null && this.reveal() === other.reveal())
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}

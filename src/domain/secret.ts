import { inspect } from 'node:util'

const SHOWN = '[secret]'

/**
 * A value that must not be printed. It shows as `[secret]` in JSON, in templates and in `util.inspect`, so that a
 * log line or an error message cannot carry it by accident. Only {@link Secret.reveal} gives it away, and what is
 * sealed is opened only then, once.
 */
export class Secret {
  #value: string | (() => string)

  constructor(value: string | (() => string)) {
    this.#value = value
  }

  reveal(): string {
    if (typeof this.#value !== 'string') this.#value = this.#value()
    return this.#value
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

import { inspect } from 'node:util'
import { UnreadableError } from './unreadable-error.ts'

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

  /** A sealed value that does not open is no other one's equal. */
  equals(other: Secret | null): boolean {
    if (this === other || other === null) return this === other
    try {
      return this.reveal() === other.reveal()
    } catch (error) {
      if (error instanceof UnreadableError) return false
      throw error
    }
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

import { randomUUID } from 'node:crypto'
import type { AuditEntry, AuditTrail } from '../domain/audit.ts'
import { VaultError } from '../domain/errors.ts'
import type { AuditKeys } from './audit-keys.ts'
import type { LineFields, Position } from './audit-line.ts'
import { fieldsOf, OPENED, TORN, writeLine } from './audit-line.ts'
import type { AuditSink } from './audit-sink.ts'

export interface AuditTrailParts {
  sink: AuditSink
  keys: AuditKeys
  now: () => Date
}

interface Waiting {
  entries: readonly AuditEntry[]
  resolve: () => void
  reject: (error: Error) => void
}

const RETRY_AFTER_SECONDS = 2

/**
 * One line an entry, each bound to the one before. What comes in one turn of the event loop, or while a write is
 * under way, is written at once. After a write that failed, the next one finds out what stands there and goes on
 * from it.
 */
export function createAuditTrail({ sink, keys, now }: AuditTrailParts): AuditTrail {
  /** Where the last write ended; kept through a failure, so that a new file goes on from it. */
  let position: Position | null = null
  let isOpen = false
  let waiting: Waiting[] = []
  let running: Promise<void> | null = null

  /** The line that begins a chain, or goes on with it: after a start, a failure, or in a new file. */
  const opening = async (lines: LineWriter, before: Position | null): Promise<void> => {
    const { last, torn } = await sink.open()
    lines.continue(last ?? before ?? { chain: randomUUID(), seq: 0, mac: '' })
    if (torn) lines.end()
    const previous = last === null ? before?.mac : undefined
    lines.add({ action: OPENED, previous, outcome: torn ? TORN : 'ok' })
  }

  const write = async (entries: readonly AuditEntry[]): Promise<void> => {
    const lines = new LineWriter(keys, now())
    if (position === null || !isOpen || (await sink.isGone())) await opening(lines, position)
    else lines.continue(position)
    for (const entry of entries) lines.add(fieldsOf(entry, keys))
    await sink.write(lines.texts)
    position = lines.position
    isOpen = true
  }

  const writeWaiting = async (): Promise<void> => {
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await write(batch.flatMap(({ entries }) => entries))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        isOpen = false
        for (const { reject } of batch) reject(unwritable(error))
      }
    }
    running = null
  }

  return {
    record: (entries) =>
      new Promise((resolve, reject) => {
        waiting.push({ entries, resolve, reject })
        running ??= writeWaiting()
      }),
    async close() {
      await running
      await sink.close()
    },
  }
}

function unwritable(cause: unknown): VaultError {
  const facts = { retryAfterSeconds: RETRY_AFTER_SECONDS }
  const detail = 'The audit log cannot be written just now, and without it nothing is disclosed. Try again.'
  return new VaultError('storage_unavailable', detail, facts, { cause })
}

/** Lines of one write, each behind the one before. */
class LineWriter {
  readonly texts: string[] = []
  position: Position = { chain: '', seq: 0, mac: '' }
  readonly #keys: AuditKeys
  readonly #at: Date

  constructor(keys: AuditKeys, at: Date) {
    this.#keys = keys
    this.#at = at
  }

  continue(position: Position): void {
    this.position = position
  }

  /** Ends a line that was cut off. */
  end(): void {
    this.texts.push('\n')
  }

  add(fields: LineFields): void {
    const { text, position } = writeLine(this.position, this.#at, fields, this.#keys)
    this.texts.push(text)
    this.position = position
  }
}

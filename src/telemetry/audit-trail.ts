import { randomUUID } from 'node:crypto'
import type { AuditEntry, AuditTrail } from '../domain/audit.ts'
import type { VaultError } from '../domain/errors.ts'
import { storageUnavailable } from '../domain/errors.ts'
import type { Secret } from '../domain/secret.ts'
import type { AuditKeys } from './audit-keys.ts'
import type { Fingerprint, LineFields, Position } from './audit-line.ts'
import { fieldsOf, OPENED, TORN, writeLine } from './audit-line.ts'
import type { AuditSink } from './audit-sink.ts'

interface AuditTrailParts {
  sink: AuditSink
  keys: AuditKeys
  now: () => Date
  /** A write that takes longer has failed for those who wait for it. */
  mostWriteMs?: number
}

interface Waiting {
  entries: readonly AuditEntry[]
  resolve: () => void
  reject: (error: Error) => void
}

/** Longer than a stream waits for its reader. */
const MOST_WRITE_MS = 6_000

/**
 * One line an entry, each bound to the one before. What comes in one turn of the event loop, or while a write is
 * under way, is written at once. After a write that failed, the next one finds out what stands there and goes on
 * from it.
 */
export function createAuditTrail(parts: AuditTrailParts): AuditTrail {
  const { sink, keys, now, mostWriteMs = MOST_WRITE_MS } = parts
  /** Where the last write ended; kept through a failure, so that a new file goes on from it. */
  let position: Position | null = null
  let isOpen = false
  /** The last write failed: a part of it may stand there, even where the file was moved away since. */
  let hasFailed = false
  let waiting: Waiting[] = []
  const writing = createTimeLimit(mostWriteMs)
  let running: Promise<void> | null = null

  /** The line that begins a chain, or goes on with it: after a start, a failure, or in a new file. */
  const opening = async (lines: LineWriter): Promise<void> => {
    if (hasFailed && position !== null) position = await lastWritten(sink, position)
    const { last, unknown, torn } = await sink.open()
    const begun = unknown ? null : position
    const isBehind = last !== null && (begun === null || isSameOrLater(last, begun))
    // What was written is known better than what is found: lines that are gone from there are missed by verify.
    lines.continue(isBehind ? last : (begun ?? { chain: randomUUID(), seq: 0, mac: '' }))
    if (torn || (unknown && hasFailed)) lines.end()
    const previous = isBehind ? undefined : begun?.mac
    lines.add({ action: OPENED, previous, outcome: torn || hasFailed ? TORN : 'ok' })
  }

  const write = async (entries: readonly AuditEntry[]): Promise<void> => {
    const lines = new LineWriter(keys, now())
    if (position === null || !isOpen || sink.isGone()) await opening(lines)
    else lines.continue(position)
    const print = createFingerprints(keys)
    for (const entry of entries) lines.add(fieldsOf(entry, print))
    hasFailed = true
    await sink.write(lines.texts)
    hasFailed = false
    position = lines.position
    isOpen = true
  }

  const writeWaiting = async (): Promise<void> => {
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await writing.run(() => write(batch.flatMap(({ entries }) => entries)))
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
      if (!writing.isRunning()) await sink.close()
    },
  }
}

/** A crowd is shown one secret: it is the same for all of them. */
function createFingerprints(keys: AuditKeys): Fingerprint {
  const known = new Map<Secret, string | null>()
  return (secret) => {
    const print = known.get(secret) ?? keys.fingerprint(keys.currentId, secret)
    known.set(secret, print)
    return print
  }
}

/** Runs one work at a time. What has not ended in time has failed, and holds the place until it ends. */
function createTimeLimit(mostMs: number) {
  let isRunning = false
  return {
    isRunning: () => isRunning,
    async run(work: () => Promise<void>): Promise<void> {
      if (isRunning) throw new Error('an earlier write has not ended')
      isRunning = true
      const working = work().finally(() => {
        isRunning = false
      })
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Error('the write has not ended in time'))
        }, mostMs).unref()
      })
      await Promise.race([working, late]).finally(() => {
        clearTimeout(timer)
      })
    },
  }
}

/** The whole lines of a write that failed count, though they be moved away since: the next one is bound to them. */
async function lastWritten(sink: AuditSink, before: Position): Promise<Position> {
  const left = await sink.left().catch(() => null)
  return left !== null && isSameOrLater(left, before) ? left : before
}

/** Of the same chain, and nothing of it is gone. */
function isSameOrLater(found: Position, before: Position): boolean {
  return found.chain === before.chain && found.seq >= before.seq
}

function unwritable(cause: unknown): VaultError {
  return storageUnavailable(
    'The audit log cannot be written just now, and without it nothing is disclosed.',
    cause,
  )
}

/** Lines of one write, each behind the one before. */
class LineWriter {
  readonly texts: string[] = []
  position: Position = { chain: '', seq: 0, mac: '' }
  readonly #keys: AuditKeys
  readonly #at: string

  constructor(keys: AuditKeys, at: Date) {
    this.#keys = keys
    this.#at = at.toISOString()
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

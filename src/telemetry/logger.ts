import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'
import { UnreadableError } from '../domain/keyring.ts'
import { PIPE_BUF } from './audit-sink.ts'

/**
 * The service's log, JSON lines on standard output. Objects are logged by an allow-list of fields; of an error only
 * its name, its code and where it was thrown, and which sealed value does not open: what it says may hold a value, or SQL.
 */
export function createLogger(level: string, destination: DestinationStream = standardOutput()): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => describeError(error) },
  }
  return pino(options, destination)
}

/** Lines that a reader who has stopped reading may leave behind; later ones are dropped. */
const MOST_UNWRITTEN_BYTES = 16 * 1024 * 1024

/** For so long at most a line waits for more to be written with. */
const FLUSHED_EVERY_MS = 100

/** Under load a write for each line would cost more than the line. What is unwritten at the exit is written then. */
function standardOutput(): DestinationStream {
  return pino.destination({
    fd: 1,
    sync: false,
    minLength: PIPE_BUF - 1,
    maxWrite: PIPE_BUF,
    maxLength: MOST_UNWRITTEN_BYTES,
    periodicFlush: FLUSHED_EVERY_MS,
  })
}

const MOST_FRAMES = 12
const MOST_CAUSES = 3

function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const { cause } = error
  return {
    name: error.name,
    ...code,
    ...(error instanceof UnreadableError && { sealed: describeSealed(error) }),
    stack: frames.slice(0, MOST_FRAMES).map((line) => line.trim()),
    ...(cause !== undefined && depth < MOST_CAUSES && { cause: describeError(cause, depth + 1) }),
  }
}

function describeSealed({ namespaceId, keyId, place }: UnreadableError): Record<string, unknown> {
  const { table, rowId, field } = place
  return { namespace_id: namespaceId, data_key_id: keyId, table, row_id: rowId, field }
}

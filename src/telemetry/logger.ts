import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'
import { UnreadableError } from '../domain/unreadable-error.ts'
import { createLogOutput } from './log-output.ts'

/**
 * The service's log, JSON lines on standard output. Objects are logged by an allow-list of fields; of an error only
 * its name, its code and where it was thrown, and which sealed value does not open: what it says may hold a value, or SQL.
 */
export function createLogger(level: string, destination: DestinationStream = createLogOutput()): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => describeError(error) },
  }
  return pino(options, destination)
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

import type { AuditFile } from './audit-file.ts'
import { takeAuditFile, unwritable } from './audit-file.ts'
import type { AuditTrail } from './domain/audit.ts'
import { StartupError } from './domain/errors.ts'
import { createAuditKeys } from './telemetry/audit-keys.ts'
import { createFileSink, createStreamSink, STANDARD_OUTPUT } from './telemetry/audit-sink.ts'
import { createAuditTrail } from './telemetry/audit-trail.ts'

export interface AuditSettings {
  /** Null: standard output. */
  file: string | null
  masterKeys: { id: string; bytes: Buffer }[]
}

/**
 * The audit log, begun or continued: its first line is written.
 * @throws StartupError where it cannot be, or where another process writes the same file
 */
export async function openAudit({ file, masterKeys }: AuditSettings): Promise<AuditTrail> {
  const taken = file === null ? null : take(file)
  const sink = taken === null ? createStreamSink(STANDARD_OUTPUT) : createFileSink(taken.path)
  const trail = createAuditTrail({ sink, keys: createAuditKeys(masterKeys), now: () => new Date() })
  try {
    await trail.record([])
  } catch (error) {
    taken?.release()
    throw unwritable(file ?? 'standard output', (error as Error).cause)
  }
  return {
    record: (entries) => trail.record(entries),
    async close() {
      await trail.close()
      taken?.release()
    },
  }
}

function take(file: string): AuditFile {
  const taken = takeAuditFile(file)
  if (taken !== null) return taken
  throw new StartupError(`TOKEN_VAULT_AUDIT_LOG: another process writes ${file}: give each a file of its own`)
}

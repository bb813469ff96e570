import { statSync } from 'node:fs'
import type { AuditTrail } from './domain/audit.ts'
import { StartupError } from './domain/errors.ts'
import type { FileLock } from './store/file-lock.ts'
import { tryFileLock } from './store/file-lock.ts'
import { createAuditKeys } from './telemetry/audit-keys.ts'
import { createFileSink, createStandardOutputSink } from './telemetry/audit-sink.ts'
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
  const lock = file === null ? null : takeLock(file)
  const sink = file === null ? createStandardOutputSink() : createFileSink(file)
  const trail = createAuditTrail({ sink, keys: createAuditKeys(masterKeys), now: () => new Date() })
  try {
    await trail.record([])
  } catch (error) {
    lock?.release()
    throw unwritable(file ?? 'standard output', (error as Error).cause)
  }
  return {
    record: (entries) => trail.record(entries),
    async close() {
      await trail.close()
      lock?.release()
    },
  }
}

/** Two processes would tear one chain apart. What is no file, such as /dev/stderr, keeps no chain and needs no lock. */
function takeLock(file: string): FileLock | null {
  const there = statSync(file, { throwIfNoEntry: false })
  if (there !== undefined && !there.isFile()) return null
  let lock: FileLock | null
  try {
    lock = tryFileLock(`${file}.lock`)
  } catch (error) {
    throw unwritable(file, error)
  }
  if (lock !== null) return lock
  throw new StartupError(`TOKEN_VAULT_AUDIT_LOG: another process writes ${file}: give each a file of its own`)
}

function unwritable(place: string, cause: unknown): StartupError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
  return new StartupError(
    `TOKEN_VAULT_AUDIT_LOG: ${place} cannot be written (${code}): make its folder writable`,
  )
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEntry, AuditTrail } from '../domain/audit.ts'
import { StartupError } from '../domain/errors.ts'
import type { MasterKey } from '../domain/keyring.ts'
import { createAuditKeys } from '../telemetry/audit-keys.ts'
import { createFileSink, createStreamSink, STANDARD_ERROR, STANDARD_OUTPUT } from '../telemetry/audit-sink.ts'
import { createAuditTrail } from '../telemetry/audit-trail.ts'
import type { AuditFile } from './audit-file.ts'
import { isFileOrNone, takeAuditFile, unwritable } from './audit-file.ts'

export interface AuditSettings {
  /** Null: standard output, and of commands standard error. */
  file: string | null
  masterKeys: readonly MasterKey[]
}

/**
 * The audit log, begun or continued: its first line is written.
 * @throws StartupError where it cannot be, or where another process writes the same file
 */
export async function openAudit({ file, masterKeys }: AuditSettings): Promise<AuditTrail> {
  if (file === null) return open(null, STANDARD_OUTPUT, masterKeys)
  const taken = takeAuditFile(file)
  if (taken === null) throw busy(file)
  return open(taken, STANDARD_OUTPUT, masterKeys)
}

const COMMANDS = '.commands'
const MOST_TRIES = 100
const RETRY_MS = 100

/**
 * Writes what a command has to say; its promise rejects with a StartupError where that cannot be. Commands have a file
 * of their own beside the service's, which the service may be writing.
 */
export function commandRecord(
  { auditLog: file }: { auditLog: string | null },
  { masterKeys }: Pick<AuditSettings, 'masterKeys'>,
): (entries: readonly AuditEntry[]) => Promise<void> {
  if (file !== null) return (entries) => recordInTurn(file, masterKeys, entries)
  let trail: Promise<AuditTrail> | null = null
  return async (entries) => {
    // A stream does not say how its chain stands: only a trail that stays goes on with it.
    trail ??= open(null, STANDARD_ERROR, masterKeys)
    await record(await trail, entries, 'standard error')
  }
}

async function recordInTurn(
  file: string,
  masterKeys: AuditSettings['masterKeys'],
  entries: readonly AuditEntry[],
): Promise<void> {
  const taken = await takeInTurn(isFileOrNone(file) ? `${file}${COMMANDS}` : file)
  const trail = await open(taken, STANDARD_ERROR, masterKeys)
  await record(trail, entries, taken.path).finally(() => trail.close())
}

async function record(trail: AuditTrail, entries: readonly AuditEntry[], place: string): Promise<void> {
  try {
    await trail.record(entries)
  } catch (error) {
    throw unwritable(place, (error as Error).cause)
  }
}

/** A command is done with it in no time: another one waits. */
async function takeInTurn(file: string): Promise<AuditFile> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const taken = takeAuditFile(file)
    if (taken !== null) return taken
    await sleep(RETRY_MS)
  }
  throw busy(file)
}

async function open(
  taken: AuditFile | null,
  stream: number,
  masterKeys: AuditSettings['masterKeys'],
): Promise<AuditTrail> {
  const sink = taken === null ? createStreamSink(stream) : createFileSink(taken.path)
  const trail = createAuditTrail({ sink, keys: createAuditKeys(masterKeys), now: () => new Date() })
  try {
    await trail.record([])
  } catch (error) {
    taken?.release()
    throw unwritable(taken?.path ?? `stream ${stream}`, (error as Error).cause)
  }
  return {
    record: (entries) => trail.record(entries),
    async close() {
      await trail.close()
      taken?.release()
    },
  }
}

function busy(file: string): StartupError {
  return new StartupError(
    `TOKEN_VAULT_AUDIT_LOG: another process writes ${file}: give each a file of its own`,
  )
}

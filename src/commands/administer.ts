import type { Logger } from 'pino'
import { commandRecord } from '../backing/open-audit.ts'
import { prepareSchema } from '../backing/prepare-schema.ts'
import type { Config } from '../config/config.ts'
import type { AuditEntry } from '../domain/audit.ts'
import { COMMAND_LINE } from '../domain/token.ts'
import type { Db } from '../store/database.ts'
import { withDatabase } from './with-database.ts'

/** What a command was given beside its name. */
export interface Words {
  action: string | undefined
  /** The name or id after the action. */
  subject: string | undefined
  namespace?: string
  name?: string
  scopes?: string
  expiresAt: string | undefined
}

/** What a command works with. */
export interface CommandParts {
  db: Db
  tell: (line: string) => void
  /** To the audit log; with nothing to tell it finds out whether it could. */
  record: (entries: readonly AuditEntry[]) => Promise<void>
}

/** Carries out `keys` or `namespaces` with the settings' database. */
export function administer(
  config: Config,
  log: Logger,
  command: (parts: CommandParts, words: Words) => Promise<void>,
  words: Words,
  tell: CommandParts['tell'],
): Promise<void> {
  // Of a namespace that is deleted millions of rows may go.
  return withDatabase(config, log, { patient: words.action === 'delete' }, async (database, backing) => {
    await prepareSchema(database, backing)
    await command({ db: database.db, tell, record: commandRecord(config, backing) }, words)
  })
}

/**
 * The audit log is told of a change before anybody else is. Where it cannot be written at the beginning, nothing
 * changes; where that fails only afterwards, the change is there without its line, unless it can be undone.
 */
export async function audited<Change extends Omit<AuditEntry, 'action' | 'actor' | 'outcome'>>(
  { record }: CommandParts,
  action: AuditEntry['action'],
  change: () => Promise<Change>,
  undo?: (changed: Change) => Promise<void>,
): Promise<Change> {
  await record([])
  const changed = await change()
  try {
    await record([{ ...changed, action, actor: COMMAND_LINE, outcome: 'ok' }])
  } catch (error) {
    // The reason is what has to be mended, whether or not this succeeds.
    await undo?.(changed).catch(() => undefined)
    throw error
  }
  return changed
}

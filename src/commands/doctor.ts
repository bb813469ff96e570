import type { Logger } from 'pino'
import { checkAuditFile } from '../backing/audit-file.ts'
import { openKeyring } from '../backing/open-keyring.ts'
import { prepareSchema } from '../backing/prepare-schema.ts'
import type { Config } from '../config/config.ts'
import { checkHost } from '../http/listen.ts'
import { loadProviders } from '../providers/load-providers.ts'
import { withDatabase } from './with-database.ts'

/**
 * Tries each part that a start needs, by itself, and tells of each.
 * @throws StartupError with what to do about the first that fails
 */
export async function examine(config: Config, log: Logger, tell: (line: string) => void): Promise<void> {
  tell('ok   settings')
  tell(`ok   providers: ${loadProviders(config.providers).length}`)
  await checkHost(config.host)
  tell('ok   address')
  if (config.auditLog !== null) checkAuditFile(config.auditLog)
  tell('ok   audit log')
  await withDatabase(config, log, {}, async (database, backing) => {
    tell('ok   database')
    await prepareSchema(database, backing)
    tell('ok   schema')
    await openKeyring(database.db, backing.masterKeys)
    tell('ok   master keys')
  })
}

import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { migrate } from '../store/migrate.ts'
import { withDatabase } from './with-database.ts'

/** Brings the schema up to date, and tells which migrations that took. */
export function commandMigrate(config: Config, log: Logger, tell: (line: string) => void): Promise<void> {
  return withDatabase(config, log, { patient: true }, async ({ db }) => {
    const done = await migrate(db)
    tell(done.length === 0 ? 'The schema is up to date.' : `Migrated: ${done.join(', ')}.`)
  })
}

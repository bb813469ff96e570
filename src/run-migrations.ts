import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import { openBacking } from './open-backing.ts'
import { createDatabase } from './store/database.ts'
import { migrate } from './store/migrate.ts'
import { waitForDatabase } from './wait-for-database.ts'

/** Brings the schema up to date, over a connection of its own and without a limit on how long it takes. */
export async function runMigrations(config: Config, log: Logger): Promise<string[]> {
  const backing = await openBacking(config, false)
  const onLost = (err: Error) => {
    log.warn({ err }, 'the database connection was lost')
  }
  const database = createDatabase({
    urls: backing.urls,
    size: 1,
    name: 'token-vault migrate',
    patient: true,
    onLost,
  })
  try {
    await waitForDatabase(database)
    return await migrate(database.db)
  } finally {
    await database.close()
    await backing.close()
  }
}

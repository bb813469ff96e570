import type { Logger } from 'pino'
import type { Backing } from '../backing/open-backing.ts'
import { joinBacking } from '../backing/open-backing.ts'
import { waitForDatabase } from '../backing/wait-for-database.ts'
import type { Config } from '../config/config.ts'
import type { Database, DatabaseOptions } from '../store/database.ts'
import { createDatabase } from '../store/database.ts'

/** Gives a command the database of the settings, over connections of its own. */
export async function withDatabase<Result>(
  config: Config,
  log: Logger,
  { size = 1, patient = false }: Partial<Pick<DatabaseOptions, 'size' | 'patient'>>,
  work: (database: Database, backing: Backing) => Promise<Result>,
): Promise<Result> {
  const backing = await joinBacking(config)
  const onLost = (err: Error) => {
    log.warn({ err }, 'the database connection was lost')
  }
  const options = { urls: backing.urls, size, name: 'token-vault command', patient, onLost }
  const database = createDatabase(options)
  try {
    await waitForDatabase(database)
    return await work(database, backing)
  } finally {
    await database.close().finally(() => backing.close())
  }
}

import pg from 'pg'
import { createDatabase } from '../../src/store/database.ts'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'
import type { TestDatabase } from './database.ts'
import { eventually, postgresPidOf } from './embedded-processes.ts'

/** A Postgres of the test's own, which it may crash: unlike the common one it keeps what it has committed. */
export interface OwnPostgres extends TestDatabase {
  /** An immediate shutdown, as `pg_ctl stop -m immediate`, and a new start; resolves when it serves again. */
  crash(): Promise<void>
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir: '', ephemeral: true })
  const { url } = postgres
  const ignore = () => undefined
  const database = createDatabase({ urls: [url], size: 1, name: 'schema', onLost: ignore })
  await migrate(database.db)
  await database.close()
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  pool.on('error', ignore)
  return {
    url,
    async query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      const { rows } = await pool.query<Row>(text, values)
      return rows
    },
    async crash() {
      const crashed = postgresPidOf(postgres.directory)
      process.kill(crashed, 'SIGQUIT')
      await eventually(() => postgresPidOf(postgres.directory) !== crashed)
      await eventually(() => pool.query('select 1'))
    },
    async drop() {
      await pool.end()
      await postgres.stop()
    },
  }
}

import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { createDatabase } from '../../src/store/database.ts'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's URL of the Postgres that this test run started. */
    postgresUrl: string
  }
}

export const TEMPLATE = 'template_vault'
const NODE_MAJOR = 24

/** One real Postgres for the whole run, with a migrated database that each test file clones. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const major = Number(process.versions.node.split('.')[0])
  if (major < NODE_MAJOR) {
    throw new Error(`the tests need Node ${NODE_MAJOR}, this is ${process.version}: run them by "npm test"`)
  }
  const settings = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '400',
  }
  const postgres = await startEmbeddedPostgres({ dataDir: '', ephemeral: true, settings })
  await makeTemplate(postgres.url)
  provide('postgresUrl', postgres.url)
  return () => postgres.stop()
}

async function makeTemplate(url: string): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query(`create database ${TEMPLATE}`)
  await admin.end()
  const database = createDatabase({
    urls: [withDatabase(url, TEMPLATE)],
    size: 1,
    name: 'template',
    onLost: () => undefined,
  })
  await migrate(database.db)
  await database.close()
}

/** The same server, another database. */
export function withDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

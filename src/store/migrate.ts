import { readFile, readdir } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { Migrator } from 'kysely/migration'
import { StartupError } from '../domain/errors.ts'
import type { Db } from './database.ts'
import { SQLSTATE, sqlState } from './storage-faults.ts'

/** Beside the manifest, which is there for the sources as well as for the bundle. */
const FOLDER = join(packageFolder(), 'migrations')

/** Whatever is asked of a table queues up behind a migration that waits for its lock. */
const LOCK_SECONDS = 2
const ATTEMPTS = 5
const PAUSE_MS = 1_000

/**
 * Brings the schema up to date, forward only; resolves with the names of the migrations that it ran.
 * @throws StartupError where the schema is newer than this program, or somebody keeps a table locked
 */
export async function migrate(db: Db): Promise<string[]> {
  refuseNewer(await appliedMigrations(db), await knownMigrations())
  for (let attempt = 1; ; attempt += 1) {
    const { error, results = [] } = await migratorOf(db).migrateToLatest()
    if (error === undefined) return results.map(({ migrationName }) => migrationName)
    if (sqlState(error) !== SQLSTATE.lockNotAvailable) {
      throw error instanceof Error ? error : new Error('the migration failed')
    }
    if (attempt === ATTEMPTS) throw await lockFault(db)
    await sleep(PAUSE_MS)
  }
}

/** Names the oldest transaction that holds a lock: the others are as short as those of the service. */
async function lockFault(db: Db): Promise<StartupError> {
  const { rows } = await sql<{ pid: number; name: string }>`
    select pid, application_name as name from pg_locks join pg_stat_activity using (pid)
    where datname = current_database() and pid <> pg_backend_pid() and granted
      and locktype = 'relation' and relation in (select pg_class.oid from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace where nspname = current_schema())
    order by xact_start limit 1`.execute(db)
  const holder = rows.map(({ pid, name }) => `process ${pid} (${name})`)[0] ?? 'somebody'
  return new StartupError(
    `DATABASE_URL: nothing was migrated, since ${holder} holds a lock on the tables: let it end, and run this again`,
  )
}

/** @throws StartupError where the schema is older or newer than this program */
export async function checkSchema(db: Db): Promise<void> {
  const [applied, known] = await Promise.all([appliedMigrations(db), knownMigrations()])
  refuseNewer(applied, known)
  refuseOlder(applied, known)
}

/**
 * A newer one suffices: an upgrade begins with its migrations, and replicas of this program serve until they are replaced.
 * @throws StartupError where the schema is older than this program
 */
export async function checkSchemaSuffices(db: Db): Promise<void> {
  refuseOlder(await appliedMigrations(db), await knownMigrations())
}

function refuseNewer(applied: string[], known: string[]): void {
  const unknown = applied.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new StartupError(
    `DATABASE_URL: the schema is newer than this program (${unknown.join(', ')}): run the version that made it, or a later one`,
  )
}

function refuseOlder(applied: string[], known: string[]): void {
  const pending = known.filter((name) => !applied.includes(name))
  if (pending.length === 0) return
  throw new StartupError(
    `DATABASE_URL: the schema lacks ${pending.join(', ')}: run "npm run migrate" (in the image: "token-vault migrate") with the same settings`,
  )
}

async function knownMigrations(): Promise<string[]> {
  const files = await readdir(FOLDER)
  return files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort()
}

async function appliedMigrations(db: Db): Promise<string[]> {
  const { rows } = await sql<{
    table: string | null
  }>`select to_regclass('kysely_migration')::text as "table"`.execute(db)
  if (rows[0]?.table == null) return []
  const applied = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
  return applied.rows.map(({ name }) => name)
}

function migratorOf(db: Db): Migrator {
  return new Migrator({ db: db.withoutPlugins(), provider: { getMigrations } })
}

async function getMigrations(): Promise<Record<string, Migration>> {
  const names = await knownMigrations()
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        async up(db: Db) {
          await sql.raw(`set local lock_timeout = '${LOCK_SECONDS}s'`).execute(db)
          await sql.raw(await readFile(join(FOLDER, `${name}.sql`), 'utf8')).execute(db)
        },
      },
    ]),
  )
}

function packageFolder(): string {
  const manifest = findPackageJSON(import.meta.url)
  if (manifest === undefined) throw new Error('there is no package.json above this module')
  return dirname(manifest)
}

import { readFile, readdir } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { Migrator } from 'kysely/migration'
import { StartupError } from '../domain/errors.ts'
import type { Db } from './database.ts'

/** Beside the manifest, which is there for the sources as well as for the bundle. */
const FOLDER = join(packageFolder(), 'migrations')

/** Brings the schema up to date, forward only; resolves with the names of the migrations that it ran. */
export async function migrate(db: Db): Promise<string[]> {
  refuseNewer(await appliedMigrations(db), await knownMigrations())
  const { error, results = [] } = await migratorOf(db).migrateToLatest()
  if (error !== undefined) throw error instanceof Error ? error : new Error('the migration failed')
  return results.map(({ migrationName }) => migrationName)
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

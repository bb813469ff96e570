import { accessSync, closeSync, constants, openSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StartupError } from '../domain/errors.ts'
import { tryFileLock } from '../embedded/file-lock.ts'

/** A place for the audit log that no other process writes to. */
export interface AuditFile {
  path: string
  release(): void
}

/**
 * Takes the file for this process, and makes it where it is missing. Two processes would tear one chain apart: the
 * lock is that of the file itself, by whatever path it was named. Null where another process has it.
 * @throws StartupError where it cannot be written, or has a second name that nobody would see the lock by
 */
export function takeAuditFile(file: string): AuditFile | null {
  if (!isFileOrNone(file)) return { path: file, release: () => undefined }
  return explained(file, () => {
    closeSync(openSync(file, 'a', 0o600))
    const path = realpathSync.native(file)
    if (statSync(path).nlink > 1) {
      throw new StartupError(`TOKEN_VAULT_AUDIT_LOG: ${file} has another name, a hard link: remove that`)
    }
    const lock = tryFileLock(`${path}.lock`)
    return (
      lock && {
        path,
        release() {
          lock.release()
        },
      }
    )
  })
}

/**
 * Tries whether the audit log could be kept there, and leaves no trace: a service may be writing it.
 * @throws StartupError where it could not
 */
export function checkAuditFile(file: string): void {
  explained(file, () => {
    const there = statSync(file, { throwIfNoEntry: false })
    if (there?.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
    if (there !== undefined) accessSync(file, constants.W_OK)
    // There a lock is kept, and new files are made.
    if (isFileOrNone(file)) accessSync(dirname(file), constants.W_OK | constants.X_OK)
  })
}

/** What is neither, such as /dev/stderr, keeps no chain and needs no lock. */
export function isFileOrNone(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? true
}

const REMEDIES: Record<string, string> = {
  ENOSPC: 'make room on its disk',
  EDQUOT: 'make room on its disk',
  EROFS: 'name a file on a disk that takes writes',
  EISDIR: 'name a file in it',
  ENOENT: 'make its folder first',
}

export function unwritable(place: string, cause: unknown): StartupError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
  const remedy = REMEDIES[code] ?? 'make its folder writable'
  return new StartupError(`TOKEN_VAULT_AUDIT_LOG: ${place} cannot be written (${code}): ${remedy}`)
}

function explained<Result>(file: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw error instanceof StartupError ? error : unwritable(file, error)
  }
}

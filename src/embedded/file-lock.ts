import { DatabaseSync } from 'node:sqlite'

const SQLITE_BUSY = 5

/** A lock that the kernel takes back when the process dies, however it dies. */
export interface FileLock {
  release(): void
}

// A lock that nobody refers to any more would be collected, and with it the lock would be gone.
const held = new Set<DatabaseSync>()

/**
 * Takes the lock that `path` stands for, or returns null at once where another process (or this one) has it.
 * Nothing else may open the file: closing any descriptor of it would free the lock of the whole process.
 */
export function tryFileLock(path: string): FileLock | null {
  const database = new DatabaseSync(path)
  try {
    // Nothing is ever written: without a journal file the lock leaves no other trace than itself.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null
    throw error
  }
  held.add(database)
  return {
    release() {
      if (held.delete(database)) database.close()
    },
  }
}

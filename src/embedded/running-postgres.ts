import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { readSecret } from './data-folder.ts'
import { CLUSTER } from './home.ts'
import { PASSWORD, urlOf } from './embedded-postgres.ts'
import { readPostmaster, serves } from './postmaster-pid.ts'

/** The Postgres that a service on this data folder runs just now; null where there is none. */
export function runningPostgres(dataDir: string): { url: string; directory: string } | null {
  try {
    const cluster = realpathSync(join(dataDir, CLUSTER))
    const postmaster = readPostmaster(cluster)
    const password = readSecret(join(dataDir, PASSWORD))
    if (postmaster?.ready !== true || password === null || !serves(postmaster.pid, cluster)) return null
    return { url: urlOf(password, postmaster.port), directory: cluster }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

import { execFileSync, spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { StartupError } from '../domain/errors.ts'

/** Whom Postgres runs as. */
export interface PostgresUser {
  uid: number
  gid: number
}

const ROOT = 0

/**
 * Postgres refuses to run as root: a service of root's runs it as the owner of the cluster that is there, or as
 * `postgres` where that user exists, or else as `nobody`. Null where the service is not root's: it is the same user.
 */
export function postgresUser(cluster: string | null): PostgresUser | null {
  if (process.geteuid?.() !== ROOT) return null
  const existing = cluster === null ? undefined : statSync(cluster, { throwIfNoEntry: false })
  if (existing !== undefined && existing.uid !== ROOT) return { uid: existing.uid, gid: existing.gid }
  const user = userNamed('postgres') ?? userNamed('nobody')
  if (user !== null) return user
  throw new StartupError(
    'The embedded Postgres cannot run as root, and there is no user "postgres" or "nobody" to run it as. ' +
      'Run the service as another user, or set DATABASE_URL.',
  )
}

/** Asks the system itself, by trying: modes alone do not tell of access lists and mount options. */
export function canEnter(user: PostgresUser | null, folder: string): boolean {
  if (user === null) return true
  const shell = spawnSync('/bin/sh', ['-c', 'cd -- "$0"', folder], { ...user, cwd: '/', stdio: 'ignore' })
  return shell.status === 0
}

function userNamed(name: string): PostgresUser | null {
  const idOf = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }))
  try {
    // macOS has negative ids and prints them as unsigned; spawn takes them as they are.
    return { uid: idOf('-u') | 0, gid: idOf('-g') | 0 }
  } catch {
    return null
  }
}

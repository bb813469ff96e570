import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { StartupError } from '../domain/errors.ts'
import { sha256 } from '../domain/sha256.ts'
import { makePrivateFolder } from './data-folder.ts'
import { canEnter } from './user.ts'
import type { PostgresUser } from './user.ts'

/** In its home: the folder that holds it and what stands beside it, and belongs to Postgres' user. */
export const CLUSTER = 'postgres'

/** Makes the folder that other users can pass through, for what Postgres' user cannot reach elsewhere. */
export function makeSharedFolder(folder: string): string {
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o755)
  return folder
}

/** A home that is meant to go away again. */
export function openEphemeralHome(user: PostgresUser | null, sharedFolder: () => string): string {
  const parent = canEnter(user, tmpdir()) ? tmpdir() : sharedFolder()
  return makeHome(realpathSync(parent), 'token-vault-', user)
}

/**
 * The home is the data folder itself, except where Postgres' user cannot pass through a parent of it. There
 * `<dataDir>/postgres` is a link to the cluster: so the two stay together when the data folder is moved, and a
 * new data folder gets a new cluster.
 */
export function openHome(dataDir: string, user: PostgresUser | null, sharedFolder: () => string): string {
  makePrivateFolder(dataDir)
  const folder = realpathSync(dataDir)
  const cluster = join(folder, CLUSTER)
  const found = lstatSync(cluster, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() && found.uid === process.geteuid?.()) return linkedHome(cluster)
  if (canEnter(user, dirname(folder))) {
    if (user !== null) chownSync(folder, user.uid, user.gid)
    return folder
  }
  if (found !== undefined) throw outOfReach(cluster)
  const name = sha256(folder).toString('hex', 0, 4)
  const directory = makeHome(sharedFolder(), `${name}-`, user)
  symlinkSync(join(directory, CLUSTER), cluster)
  return directory
}

function makeHome(parent: string, prefix: string, user: PostgresUser | null): string {
  const directory = mkdtempSync(join(parent, prefix))
  if (user !== null) chownSync(directory, user.uid, user.gid)
  return directory
}

function linkedHome(cluster: string): string {
  const directory = dirname(readlinkSync(cluster))
  if (existsSync(directory)) return directory
  throw new StartupError(
    `The data of the embedded Postgres was in ${directory}, and that is gone. ` +
      `Restore it, or remove ${dirname(cluster)} to start with an empty vault.`,
  )
}

function outOfReach(cluster: string): StartupError {
  return new StartupError(
    `As root, the embedded Postgres runs as another user, and that one cannot reach its data in ${cluster} any more. ` +
      'Let other users pass through the parent folders (chmod o+x), or move the data folder and name it in TOKEN_VAULT_DATA_DIR.',
  )
}

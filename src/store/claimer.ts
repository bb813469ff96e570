import type { Keyring } from '../domain/keyring.ts'
import type { Db } from './database.ts'
import type { LockedNamespaces } from './locked-namespaces.ts'

/** What a replica claims with: its storage, and the name under which the others know it. */
export interface Claimer {
  db: Db
  keyring: Keyring
  owner: string
  locked: LockedNamespaces
}

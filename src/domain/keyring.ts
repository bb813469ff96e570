import { StartupError } from './errors.ts'
import type { Secret } from './secret.ts'
import type { Place } from './unreadable-error.ts'

/** The keys of one namespace. */
export interface NamespaceKeys {
  readonly namespaceId: string
  /** The key that seals. Ids count up: what is sealed under a lower one is older. */
  readonly primaryId: number
  seal(place: Place, secret: Secret): Buffer
  /** @throws UnreadableError when the value was altered, moved, or sealed under a key that is not here */
  open(place: Place, sealed: Buffer): Secret
  /**
   * The same value under the primary key; one that is under it, or under a later one, stays as it is.
   * @throws UnreadableError as `open` does
   */
  reseal(place: Place, sealed: Buffer): Buffer
  /** A keyed digest to find a token by. `kind` keeps equal values of different kinds apart. */
  digest(kind: string, secret: Secret): Buffer
}

/** The operator's: 32 bytes under an id. */
export interface MasterKey {
  id: string
  bytes: Buffer
}

export interface Keyring {
  /**
   * The keys of a namespace, made at the first use. `sealed` are the values to be opened: where one names a key
   * that another replica has made since, the keys are read again.
   * @throws VaultError `storage_unavailable` for as long as a master key that they need is not here, `unauthorized` where
   * the namespace is gone
   */
  keysOf(namespaceId: string, sealed?: Buffer[]): Promise<NamespaceKeys>
  /** The same, read anew, with a primary key that was made since then: made now where there is none. */
  keysSince(namespaceId: string, since: Date): Promise<NamespaceKeys>
}

export interface Wrapping {
  masterKeyId: string
  wrapped: Buffer
}

/** A data key as it is stored: wrapped by a master key. */
export interface WrappedKey extends Wrapping {
  namespaceId: string
  /** Counts up in a namespace; sealed values name it. */
  id: number
  purpose: 'seal' | 'lookup'
  createdAt: Date
}

export interface DataKeyStore {
  /** All keys of a namespace, oldest first. */
  listKeys(namespaceId: string): Promise<WrappedKey[]>
  /** Adds a key; where the id is taken, by another replica, or the namespace is gone, it does nothing. */
  addKey(key: Omit<WrappedKey, 'createdAt'>): Promise<void>
  /** One key of each master key that stored keys name. */
  sampleKeys(): Promise<WrappedKey[]>
  /** Keys under this master key, and tokens of the namespaces of these; counting ends at `most` of each. */
  countNeeding(masterKeyId: string, most: number): Promise<{ keys: number; tokens: number }>
  /** Keys of all namespaces that are under another master key, `limit` of them, behind the key `after`. */
  listKeysOfOthers(masterKeyId: string, after: WrappedKey | null, limit: number): Promise<WrappedKey[]>
  /** Compare-and-set: a key that is gone, or wrapped otherwise by now, is left alone. Resolves with the number set. */
  rewrapKeys(keys: { from: WrappedKey; to: Wrapping }[]): Promise<number>
}

/** A data key does not open with the master keys of the settings. */
export class MasterKeyError extends StartupError {
  readonly masterKeyId: string

  constructor(masterKeyId: string, fault: string) {
    super(`TOKEN_VAULT_MASTER_KEYS: key "${masterKeyId}" ${fault}`)
    this.name = 'MasterKeyError'
    this.masterKeyId = masterKeyId
  }
}

/** Of an error of the keyring: is it for a master key, and not for a storage that is away? */
export function isForMasterKey(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof MasterKeyError
}

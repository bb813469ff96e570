import type { Secret } from './secret.ts'

/** Where a sealed value stands. It is bound to its place: moved to another one it does not open. */
export interface Place {
  table: string
  rowId: string
  field: string
}

/** The keys of one namespace. */
export interface NamespaceKeys {
  seal(place: Place, secret: Secret): Buffer
  /** @throws UnreadableError when the value was altered, moved, or sealed under a key that is not here */
  open(place: Place, sealed: Buffer): Secret
  /** A keyed digest to find a token by. `kind` keeps equal values of different kinds apart. */
  digest(kind: string, secret: Secret): Buffer
}

export interface Keyring {
  /**
   * The keys of a namespace, made at the first use. `sealed` are the values to be opened: where one names a key
   * that another replica has made since, the keys are read again.
   */
  keysOf(namespaceId: string, sealed?: Buffer[]): Promise<NamespaceKeys>
}

/** A data key as it is stored: wrapped by a master key. */
export interface WrappedKey {
  namespaceId: string
  /** Counts up in a namespace; sealed values name it. */
  id: number
  purpose: 'seal' | 'lookup'
  masterKeyId: string
  wrapped: Buffer
  createdAt: Date
}

export interface DataKeyStore {
  /** All keys of a namespace, oldest first. */
  listKeys(namespaceId: string): Promise<WrappedKey[]>
  /** Adds a key; where the id is taken, by another replica, it does nothing. */
  addKey(key: Omit<WrappedKey, 'createdAt'>): Promise<void>
  /** For each master key that stored keys name: how many, and one of them to try. */
  sampleKeys(): Promise<{ masterKeyId: string; count: number; sample: WrappedKey }[]>
}

/** A sealed value that does not open. All causes look the same from outside. */
export class UnreadableError extends Error {
  readonly keyId: number
  readonly place: Place

  constructor(keyId: number, place: Place) {
    super(`a sealed value does not open: key ${keyId}, ${place.table} ${place.rowId} ${place.field}`)
    this.name = 'UnreadableError'
    this.keyId = keyId
    this.place = place
  }
}

import { createSecretKey, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { MasterKey, WrappedKey, Wrapping } from '../domain/keyring.ts'
import { MasterKeyError } from '../domain/keyring.ts'
import { decrypt, encrypt, lengthPrefixed } from './aead.ts'

const KEY_BYTES = 32

/** The operator's keys: the first one wraps, all of them unwrap. */
export interface MasterKeys {
  readonly firstId: string
  has(id: string): boolean
  wrap(place: KeyPlace, key: Buffer): Wrapping
  /** @throws MasterKeyError when the master key is missing or not the one that wrapped */
  unwrap(key: WrappedKey): Buffer
}

type KeyPlace = Pick<WrappedKey, 'namespaceId' | 'id' | 'purpose'>

export function createMasterKeys(keys: readonly MasterKey[]): MasterKeys {
  const byId = new Map(keys.map(({ id, bytes }) => [id, createSecretKey(bytes)]))
  const [first] = keys
  if (first === undefined) throw new Error('a master key is needed')
  const keyOf = (id: string): KeyObject => {
    const key = byId.get(id)
    if (key === undefined) throw new MasterKeyError(id, 'is missing: add it to the list')
    return key
  }
  const unwrap = (key: WrappedKey): Buffer => {
    const master = keyOf(key.masterKeyId)
    try {
      return decrypt(master, key.wrapped, associatedData(key.masterKeyId, key))
    } catch {
      const what = `data key ${key.id} of namespace ${key.namespaceId}`
      throw new MasterKeyError(key.masterKeyId, `is not the one that wrapped ${what}: give the original key`)
    }
  }
  return {
    firstId: first.id,
    has: (id) => byId.has(id),
    wrap: (place, key) => ({
      masterKeyId: first.id,
      wrapped: encrypt(keyOf(first.id), key, associatedData(first.id, place)),
    }),
    unwrap,
  }
}

/** A new master key in the form of its setting, `id:base64`. */
export function generateMasterKey(id: string): string {
  return `${id}:${randomBytes(KEY_BYTES).toString('base64')}`
}

function associatedData(masterKeyId: string, { namespaceId, id, purpose }: KeyPlace): Buffer {
  return lengthPrefixed('data_keys', masterKeyId, namespaceId, String(id), purpose)
}

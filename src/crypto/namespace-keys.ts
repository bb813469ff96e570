import type { KeyObject } from 'node:crypto'
import { hmacUnder } from '../domain/hmac.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import { Secret } from '../domain/secret.ts'
import type { Place } from '../domain/unreadable-error.ts'
import { UnreadableError } from '../domain/unreadable-error.ts'
import { decrypt, encrypt, lengthPrefixed } from './aead.ts'

/** A sealed value is `format (1 byte) | data key id (4 bytes) | nonce (12) | ciphertext | tag (16)`. */
const FORMAT = 1
const HEADER_BYTES = 5

export interface UnwrappedKeys {
  namespaceId: string
  /** Data keys by id; the one of `primaryId` seals. */
  sealing: Map<number, KeyObject>
  primaryId: number
  lookup: KeyObject
}

export function createNamespaceKeys({
  namespaceId,
  sealing,
  primaryId,
  lookup,
}: UnwrappedKeys): NamespaceKeys {
  const primary = sealing.get(primaryId)
  if (primary === undefined) throw new Error(`data key ${primaryId} is missing`)
  const digest = hmacUnder(lookup)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(FORMAT)
  header.writeUInt32BE(primaryId, 1)
  const bind = (head: Buffer, place: Place) =>
    lengthPrefixed(head, namespaceId, place.table, place.rowId, place.field)

  const seal = (place: Place, secret: Secret) =>
    Buffer.concat([header, encrypt(primary, Buffer.from(secret.reveal(), 'utf8'), bind(header, place))])
  const open = (place: Place, sealed: Buffer) => {
    const key = isSealed(sealed) ? sealing.get(keyIdOf(sealed)) : undefined
    if (key === undefined) throw new UnreadableError(namespaceId, keyIdOf(sealed), place)
    try {
      const head = sealed.subarray(0, HEADER_BYTES)
      const plaintext = decrypt(key, sealed.subarray(HEADER_BYTES), bind(head, place))
      return new Secret(plaintext.toString('utf8'))
    } catch {
      throw new UnreadableError(namespaceId, keyIdOf(sealed), place)
    }
  }

  return {
    namespaceId,
    primaryId,
    seal,
    open,
    reseal: (place, sealed) => (keyIdOf(sealed) >= primaryId ? sealed : seal(place, open(place, sealed))),
    digest: (kind, secret) => digest(lengthPrefixed(kind, secret.reveal())),
  }
}

/** The id of the data key under which a value was sealed; 0, which no data key has, where it is too short to say. */
export function keyIdOf(sealed: Buffer): number {
  return sealed.length < HEADER_BYTES ? 0 : sealed.readUInt32BE(1)
}

function isSealed(sealed: Buffer): boolean {
  return sealed.length >= HEADER_BYTES && sealed[0] === FORMAT
}

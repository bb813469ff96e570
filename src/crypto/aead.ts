import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mostBytes } from '../domain/hmac.ts'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
/** Always said: Node would accept a tag of 4 bytes without it. */
const TAG = { authTagLength: 16 }

/** AES-256-GCM as `nonce | ciphertext | tag`, under a random 96-bit nonce. */
export function encrypt(key: KeyObject, plaintext: Buffer, associated: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce, TAG).setAAD(associated)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** @throws Error when anything was altered; what it says is not for callers */
export function decrypt(key: KeyObject, sealed: Buffer, associated: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const ciphertext = sealed.subarray(NONCE_BYTES, -TAG.authTagLength)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, TAG)
    .setAAD(associated)
    .setAuthTag(sealed.subarray(-TAG.authTagLength))
  const plaintext = decipher.update(ciphertext)
  // It only verifies the tag: GCM has no trailing bytes.
  decipher.final()
  return plaintext
}

const LENGTH_BYTES = 4

/** Each part behind its length, so that no two lists of parts read the same. */
export function lengthPrefixed(...parts: (string | Buffer)[]): Buffer {
  const prefixed = Buffer.allocUnsafe(LENGTH_BYTES * parts.length + mostBytes(parts))
  let end = 0
  for (const part of parts) {
    const start = end + LENGTH_BYTES
    const length = typeof part === 'string' ? prefixed.write(part, start) : part.copy(prefixed, start)
    prefixed.writeUInt32BE(length, end)
    end = start + length
  }
  return prefixed.subarray(0, end)
}

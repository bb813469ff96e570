import type { KeyObject } from 'node:crypto'
import { sha256 } from './sha256.ts'

/** The digest of a message, given in parts; text is taken as UTF-8. */
export type Hmac = (...message: (string | Buffer)[]) => Buffer

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32

/**
 * HMAC-SHA-256 (RFC 2104). A find takes four of them, and an object of `createHmac` costs twice what two calls of
 * `hash` do.
 * @throws RangeError where the key is longer than a block: it would have to be hashed first
 */
export function hmacUnder(key: KeyObject): Hmac {
  const bytes = key.export()
  if (bytes.length > BLOCK_BYTES) throw new RangeError(`a key has at most ${BLOCK_BYTES} bytes`)
  const block = Buffer.concat([bytes], BLOCK_BYTES)
  const inner = Buffer.from(block.map((byte) => byte ^ 0x36))
  /** Behind the padded key stands the inner digest, for as long as it takes to hash it. */
  const outer = Buffer.concat([block.map((byte) => byte ^ 0x5c)], BLOCK_BYTES + DIGEST_BYTES)
  return (...message) => {
    sha256(Buffer.concat([inner, ...message.map(bytesOf)])).copy(outer, BLOCK_BYTES)
    return sha256(outer)
  }
}

function bytesOf(part: string | Buffer): Buffer {
  return typeof part === 'string' ? Buffer.from(part) : part
}

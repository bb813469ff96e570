import type { KeyObject } from 'node:crypto'
import { sha256 } from './sha256.ts'

/** The digest of a message, given in parts; text is taken as UTF-8. */
export type Hmac = (...message: (string | Buffer)[]) => Buffer

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
/** A line of the audit log, with what may become three bytes a character. */
const USUAL_BYTES = 4_096
/** Of whoever digests, for as long as it takes: the padded key, and behind it the message. */
const usual = Buffer.alloc(BLOCK_BYTES + USUAL_BYTES)

/**
 * HMAC-SHA-256 (RFC 2104). A find takes four of them, and an object of `createHmac` costs twice what two calls of
 * `hash` do, a buffer for each message half as much again.
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
    const whole = padded(inner, message)
    sha256(whole).copy(outer, BLOCK_BYTES)
    whole.fill(0)
    return sha256(outer)
  }
}

function padded(inner: Buffer, message: (string | Buffer)[]): Buffer {
  const most = BLOCK_BYTES + mostBytes(message)
  const into = most <= usual.length ? usual : Buffer.allocUnsafe(most)
  let end = inner.copy(into)
  for (const part of message) end += typeof part === 'string' ? into.write(part, end) : part.copy(into, end)
  return into.subarray(0, end)
}

/** So many bytes at most are these parts: no unit of a text takes more than three in UTF-8. */
export function mostBytes(parts: (string | Buffer)[]): number {
  return parts.reduce((most, part) => most + (typeof part === 'string' ? 3 : 1) * part.length, 0)
}

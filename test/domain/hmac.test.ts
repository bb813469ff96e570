import { createHmac, createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hmacUnder } from '../../src/domain/hmac.ts'

const bytes = (max: number, min = 0) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array))
/** Around the size up to which no buffer is made for a message, too. */
const part = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
  { weight: 4, arbitrary: bytes(300) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1_300, maxLength: 5_000, size: 'max' }) },
  { weight: 1, arbitrary: bytes(5_000, 3_900) },
)

test('a digest is what Node computes for the same key and the same bytes', () => {
  fc.assert(
    fc.property(bytes(64, 1), fc.array(part, { maxLength: 4 }), (key, message) => {
      const reference = createHmac('sha256', key)
      for (const piece of message) reference.update(piece)
      expect(hmacUnder(createSecretKey(key))(...message)).toEqual(reference.digest())
    }),
    { numRuns: 2_000 },
  )
})

test('a key digests many messages, each as if it were the first one', () => {
  const key = createSecretKey(Buffer.alloc(32, 7))
  const [used, fresh] = [hmacUnder(key), () => hmacUnder(key)]
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 20 }), (messages) => {
      const digests = messages.map((message) => used(message))
      expect(digests).toEqual(messages.map((message) => fresh()(message)))
    }),
  )
})

test('a key longer than a block is refused, not cut off', () => {
  expect(() => hmacUnder(createSecretKey(Buffer.alloc(65)))).toThrow(/64 bytes/)
})

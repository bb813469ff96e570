import { createHash, createSecretKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { decrypt, lengthPrefixed } from '../../src/crypto/aead.ts'
import { createNamespaceKeys } from '../../src/crypto/namespace-keys.ts'
import { Secret } from '../../src/domain/secret.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

/** McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16: AES-256 with associated data. */
const GCM = {
  key: hex('feffe9928665731c6d6a8f9467308308'.repeat(2)),
  nonce: hex('cafebabefacedbaddecaf888'),
  associated: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
  plaintext: hex(
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  ),
  ciphertext: hex(
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
  ),
  tag: hex('76fc6ece0f4e1768cddf8853bb2d551b'),
}

test('values are encrypted by AES-256-GCM as nonce, ciphertext and tag: a published vector opens', () => {
  const sealed = Buffer.concat([GCM.nonce, GCM.ciphertext, GCM.tag])
  expect(decrypt(createSecretKey(GCM.key), sealed, GCM.associated)).toEqual(GCM.plaintext)
})

test.each([4, 8, 12, 15])('a tag cut down to %i bytes does not open', (bytes) => {
  const sealed = Buffer.concat([GCM.nonce, GCM.ciphertext, GCM.tag.subarray(0, bytes)])
  expect(() => decrypt(createSecretKey(GCM.key), sealed, GCM.associated)).toThrow()
})

/** RFC 2104 from SHA-256 alone, to hold the digests against. */
function hmac(key: Buffer, data: Buffer): Buffer {
  const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const block = Buffer.alloc(64)
  void (key.length > 64 ? sha(key) : key).copy(block)
  const pad = (byte: number) => Buffer.from(block.map((value) => value ^ byte))
  return sha(pad(0x5c), sha(pad(0x36), data))
}

test.each([
  [
    'case 2',
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'case 6',
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
])('the reference that digests are held against is HMAC-SHA-256: RFC 4231, %s', (_case, key, data, mac) => {
  expect(hmac(key, Buffer.from(data)).toString('hex')).toBe(mac)
})

test('a look-up digest is the whole HMAC-SHA-256 of the kind and the value, each behind its length', () => {
  const lookup = Buffer.alloc(32, 9)
  const keys = createNamespaceKeys({
    namespaceId: 'any',
    sealing: new Map([[1, createSecretKey(Buffer.alloc(32, 1))]]),
    primaryId: 1,
    lookup: createSecretKey(lookup),
  })
  const value = '1000.größe.🔑'
  const expected = hmac(lookup, lengthPrefixed('refresh_token', value))
  expect(keys.digest('refresh_token', new Secret(value))).toEqual(expected)
  expect(expected).toHaveLength(32)
})

import { createHash, createHmac, createSecretKey, randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { decrypt, encrypt } from '../../src/crypto/aead.ts'
import { createMasterKeys } from '../../src/crypto/master-keys.ts'
import { createNamespaceKeys } from '../../src/crypto/namespace-keys.ts'
import type { NamespaceKeys } from '../../src/domain/keyring.ts'
import type { Place } from '../../src/domain/unreadable-error.ts'
import { UnreadableError } from '../../src/domain/unreadable-error.ts'
import { Secret } from '../../src/domain/secret.ts'

const TIMES = 10_000
const HEADER = 5
const TAG = 16
const FIELDS = ['client_secret', 'refresh_token', 'grant_token', 'access_token']
const NAMESPACES = ['018f0000-0000-7000-8000-000000000001', '018f0000-0000-7000-8000-000000000002']
const KEY_IDS = [2, 3, 258]

/** The worst case: one key under every id, in every namespace, so that only what is bound keeps values apart. */
const same = createSecretKey(Buffer.alloc(32, 7))
const keysOf = (namespaceId: string, primaryId: number): NamespaceKeys =>
  createNamespaceKeys({
    namespaceId,
    sealing: new Map(KEY_IDS.map((id) => [id, same])),
    primaryId,
    lookup: same,
  })

interface Spot {
  namespaceId: string
  keyId: number
  place: Place
}

const pick = <Item>(items: Item[]): Item => items[randomInt(items.length)] as Item
const anySpot = (): Spot => ({
  namespaceId: pick(NAMESPACES),
  keyId: pick(KEY_IDS),
  place: { table: pick(['tokens', 'keys']), rowId: `row-${randomInt(50)}`, field: pick(FIELDS) },
})
const sealAt = ({ namespaceId, keyId, place }: Spot) =>
  keysOf(namespaceId, keyId).seal(place, new Secret(randomBytes(randomInt(40)).toString('hex')))

/** Does a value open here? Every failure is the one error. */
function opens({ namespaceId, keyId, place }: Spot, sealed: Buffer): boolean {
  try {
    keysOf(namespaceId, keyId).open(place, sealed)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(UnreadableError)
    return false
  }
}

/** How many of the attempts opened; `attempt` is null where nothing was altered by chance. */
function opened(attempt: () => boolean | null): number {
  let tried = 0
  let open = 0
  while (tried < TIMES) {
    const result = attempt()
    if (result === null) continue
    tried += 1
    if (result) open += 1
  }
  return open
}

test('the attempts are fair: what is left in its place opens, each time', () => {
  expect(
    opened(() => {
      const spot = anySpot()
      return opens(spot, sealAt(spot))
    }),
  ).toBe(TIMES)
})

test('10,000 values moved between rows, fields, tables, namespaces and key ids: none opens', () => {
  const open = opened(() => {
    const [from, other] = [anySpot(), anySpot()]
    const to = pick([
      { ...from, namespaceId: other.namespaceId },
      { ...from, keyId: other.keyId },
      { ...from, place: { ...from.place, table: other.place.table } },
      { ...from, place: { ...from.place, rowId: other.place.rowId } },
      { ...from, place: { ...from.place, field: other.place.field } },
      other,
    ])
    if (JSON.stringify(from) === JSON.stringify(to)) return null
    const sealed = sealAt(from)
    sealed.writeUInt32BE(to.keyId, 1)
    return opens(to, sealed)
  })
  expect(open).toBe(0)
})

test('10,000 values with some bits flipped anywhere: none opens', () => {
  const open = opened(() => {
    const spot = anySpot()
    const sealed = sealAt(spot)
    const before = Buffer.from(sealed)
    for (let flips = randomInt(1, 4); flips > 0; flips -= 1) {
      const at = randomInt(sealed.length)
      sealed.writeUInt8(sealed.readUInt8(at) ^ (1 << randomInt(8)), at)
    }
    return sealed.equals(before) ? null : opens(spot, sealed)
  })
  expect(open).toBe(0)
})

test('10,000 values cut short at the end, at the front or in the middle: none opens', () => {
  const open = opened(() => {
    const spot = anySpot()
    const sealed = sealAt(spot)
    const from = randomInt(sealed.length)
    const to = randomInt(from, sealed.length) + 1
    const kept = pick([
      sealed.subarray(0, from),
      sealed.subarray(to),
      Buffer.concat([sealed.subarray(0, from), sealed.subarray(to)]),
    ])
    return opens(spot, kept)
  })
  expect(open).toBe(0)
})

test('10,000 values with a tag of 4 to 15 bytes, true as far as it goes: none opens', () => {
  const open = opened(() => {
    const spot = anySpot()
    const sealed = sealAt(spot)
    return opens(spot, sealed.subarray(0, sealed.length - TAG + randomInt(4, TAG)))
  })
  expect(open).toBe(0)
})

test('10,000 pairs of values with parts exchanged: none opens', () => {
  const open = opened(() => {
    const spot = anySpot()
    const [one, other] = [sealAt(spot), sealAt(spot)]
    const at = randomInt(HEADER, Math.min(one.length, other.length))
    const spliced = Buffer.concat([one.subarray(0, at), other.subarray(at)])
    return spliced.equals(one) || spliced.equals(other) ? null : opens(spot, spliced)
  })
  expect(open).toBe(0)
})

test('a wrapped data key of format 1 and what it seals open for ever', () => {
  const master = createMasterKeys([{ id: 'golden', bytes: Buffer.alloc(32, 1) }])
  const [namespaceId] = NAMESPACES as [string]
  const place = { table: 'tokens', rowId: 'row-1', field: 'refresh_token' }
  const wrapped =
    'accb7ec35fd5e8356cb88d7dc5b73078d67775a756c988466c34efa0957fdeba0bd754fb052acab80ebef76d74abf58e96e9fcb8ad64bca9ef80e545'
  const sealed =
    '01000000028001763eb1af9bc7e5e3780e1beb24d4dce50c710cd7204d2a42cd875522037122994a358565c3a98009f90fb7'
  const key = master.unwrap({
    namespaceId,
    id: 2,
    purpose: 'seal',
    masterKeyId: 'golden',
    wrapped: Buffer.from(wrapped, 'hex'),
    createdAt: new Date(0),
  })
  expect(key).toEqual(Buffer.alloc(32, 2))
  const sealing = new Map([[2, createSecretKey(key)]])
  const keys = createNamespaceKeys({ namespaceId, sealing, primaryId: 2, lookup: same })
  expect(keys.open(place, Buffer.from(sealed, 'hex')).reveal()).toBe('1000.größe.🔑')
})

/** McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 15: AES-256, no associated data. */
test.each([
  ['13', '00'.repeat(32), '00'.repeat(12), '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
  [
    '14',
    '00'.repeat(32),
    '00'.repeat(12),
    '00'.repeat(16),
    'cea7403d4d606b6e074ec5d3baf39d18',
    'd0d1c8a799996bf0265b98b5d48ab919',
  ],
  [
    '15',
    'feffe9928665731c6d6a8f9467308308'.repeat(2),
    'cafebabefacedbaddecaf888',
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad',
    'b094dac5d93471bdec1a502270e3cc6c',
  ],
])('AES-256-GCM agrees with the published test case %s', (_case, key, nonce, plaintext, ciphertext, tag) => {
  const secret = createSecretKey(Buffer.from(key, 'hex'))
  const sealed = Buffer.from(nonce + ciphertext + tag, 'hex')
  expect(decrypt(secret, sealed, Buffer.alloc(0)).toString('hex')).toBe(plaintext)
  const again = encrypt(secret, Buffer.from(plaintext, 'hex'), Buffer.alloc(0))
  expect(again).toHaveLength(sealed.length)
  expect(decrypt(secret, again, Buffer.alloc(0)).toString('hex')).toBe(plaintext)
})

/** RFC 4231, test cases 1, 3 and 4. */
test.each([
  [
    '1',
    '0b'.repeat(20),
    '4869205468657265',
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  ['3', 'aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    '4',
    '0102030405060708090a0b0c0d0e0f10111213141516171819',
    'cd'.repeat(50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
])('HMAC-SHA-256 agrees with RFC 4231, case %s', (_case, key, data, mac) => {
  const digest = createHmac('sha256', createSecretKey(Buffer.from(key, 'hex'))).update(
    Buffer.from(data, 'hex'),
  )
  expect(digest.digest('hex')).toBe(mac)
})

test('digests of a value are the same for ever', () => {
  const keys = keysOf(NAMESPACES[0] ?? '', 2)
  const all = ['refresh_token', 'access_token', 'grant_token'].map((kind) =>
    keys.digest(kind, new Secret('1000.größe.🔑')),
  )
  expect(createHash('sha256').update(Buffer.concat(all)).digest('hex')).toBe(
    '808deb1f769533f1eed2c7aad85e84df9ab9e7aaee449cd82b0bc1350caddaf4',
  )
})

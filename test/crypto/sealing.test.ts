import { createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lengthPrefixed } from '../../src/crypto/aead.ts'
import { createNamespaceKeys, keyIdOf } from '../../src/crypto/namespace-keys.ts'
import type { NamespaceKeys } from '../../src/domain/keyring.ts'
import { UnreadableError } from '../../src/domain/unreadable-error.ts'
import { Secret } from '../../src/domain/secret.ts'

const NAMESPACE = '018f0000-0000-7000-8000-000000000001'
const PLACE = { table: 'tokens', rowId: 'token-1', field: 'refresh_token' }
const keyOf = (byte: number) => createSecretKey(Buffer.alloc(32, byte))

/** Keys 1 to 3 of a namespace; the key of id n is made of bytes n. */
function keysOf(namespaceId = NAMESPACE, primaryId = 2): NamespaceKeys {
  const sealing = new Map([1, 2, 3].map((id) => [id, keyOf(id)]))
  return createNamespaceKeys({ namespaceId, sealing, primaryId, lookup: keyOf(9) })
}

const keys = keysOf()
const seal = (value: string) => keys.seal(PLACE, new Secret(value))
const text = fc.string({ unit: 'binary', maxLength: 200 }).map((value) => value.toWellFormed())

describe('a sealed value', () => {
  test('opens in its place to what was sealed, whatever it was', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(keys.open(PLACE, seal(value)).reveal()).toBe(value)
      }),
    )
  })

  test('never looks the same twice, and shows nothing but format, key id and length', () => {
    const [one, other] = [seal('the same'), seal('the same')]
    expect(one.subarray(5)).not.toEqual(other.subarray(5))
    expect(one.subarray(0, 5)).toEqual(Buffer.from([1, 0, 0, 0, 2]))
    expect(one).toHaveLength(5 + 12 + 'the same'.length + 16)
  })

  test('of format 1 opens for ever', () => {
    const golden =
      '01000000029d10705a55c7b674b995edae34e672c818b15df1ae1454f779af6937eb5a609844c6da5348d62a8eff2e44cf93'
    expect(keys.open(PLACE, Buffer.from(golden, 'hex')).reveal()).toBe('1000.größe.🔑')
  })

  test('of a retired key opens, while the primary key seals', () => {
    const old = keysOf(NAMESPACE, 1).seal(PLACE, new Secret('old'))
    expect(keys.open(PLACE, old).reveal()).toBe('old')
    expect(keyIdOf(seal('new'))).toBe(2)
  })

  test('of an older digest is found for ever', () => {
    const digest = keys.digest('refresh_token', new Secret('1000.größe.🔑'))
    expect(digest.toString('hex')).toBe('9b36560b6b6188d9360eb56832cbacecb09c497973096f1296cd2a87d2439835')
  })
})

describe('a sealed value does not open', () => {
  const unreadable = (open: () => Secret) => {
    expect(open).toThrow(UnreadableError)
  }

  test.each([
    ['row', { ...PLACE, rowId: 'token-2' }],
    ['field', { ...PLACE, field: 'access_token' }],
    ['table', { ...PLACE, table: 'keys' }],
  ])('moved to another %s', (_what, place) => {
    unreadable(() => keys.open(place, seal('value')))
  })

  test('moved to another namespace, even one with the same keys', () => {
    unreadable(() => keysOf('018f0000-0000-7000-8000-000000000002').open(PLACE, seal('value')))
  })

  test('under another key id, even where both ids name the same key', () => {
    const sealing = new Map([1, 2].map((id) => [id, keyOf(2)]))
    const twins = createNamespaceKeys({ namespaceId: NAMESPACE, sealing, primaryId: 2, lookup: keyOf(9) })
    const moved = twins.seal(PLACE, new Secret('value'))
    moved.writeUInt32BE(1, 1)
    unreadable(() => twins.open(PLACE, moved))
  })

  test('under a key that is not here, and the error names the key and the place but no value', () => {
    const sealed = seal('hidden-value')
    sealed.writeUInt32BE(77, 1)
    expect(() => keys.open(PLACE, sealed)).toThrow('key 77, tokens token-1 refresh_token')
    expect(() => keys.open(PLACE, sealed)).not.toThrow('hidden-value')
  })

  test('with any one bit flipped', () => {
    const sealed = seal('value')
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = Buffer.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      unreadable(() => keys.open(PLACE, flipped))
    }
  })

  test('cut short anywhere, at either end, or made longer', () => {
    const sealed = seal('value')
    for (let length = 0; length < sealed.length; length += 1) {
      unreadable(() => keys.open(PLACE, sealed.subarray(0, length)))
      unreadable(() => keys.open(PLACE, sealed.subarray(sealed.length - length)))
    }
    unreadable(() => keys.open(PLACE, Buffer.concat([sealed, Buffer.alloc(1)])))
  })

  test('made up of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        unreadable(() => keys.open(PLACE, Buffer.concat([Buffer.from([1, 0, 0, 0, 2]), bytes])))
      }),
    )
  })
})

describe('a look-up digest', () => {
  test('differs by kind, by namespace key and by value', () => {
    const other = createNamespaceKeys({
      namespaceId: NAMESPACE,
      sealing: new Map([[1, keyOf(1)]]),
      primaryId: 1,
      lookup: keyOf(8),
    })
    const digests = [
      keys.digest('refresh_token', new Secret('value')),
      keys.digest('access_token', new Secret('value')),
      keys.digest('refresh_token', new Secret('other')),
      other.digest('refresh_token', new Secret('value')),
    ].map((digest) => digest.toString('hex'))
    expect(new Set(digests).size).toBe(digests.length)
  })
})

test('no two lists of parts read the same once each part stands behind its length', () => {
  const parts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 3 }), { maxLength: 4 })
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      expect(lengthPrefixed(...one).equals(lengthPrefixed(...other))).toBe(isSame)
    }),
    { numRuns: 2000 },
  )
})

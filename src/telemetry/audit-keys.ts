import { createSecretKey, hkdfSync } from 'node:crypto'
import type { Hmac } from '../domain/hmac.ts'
import { hmacUnder } from '../domain/hmac.ts'
import type { MasterKey } from '../domain/keyring.ts'
import type { Secret } from '../domain/secret.ts'

/** What the audit log is chained and fingerprinted with: two keys from each master key, named by its id. */
export interface AuditKeys {
  /** The first master key's: new lines are made with it. */
  readonly currentId: string
  readonly ids: readonly string[]
  /** The mac of a line behind another one; null where the key is unknown. */
  mac(keyId: string, previousMac: string, line: string | Buffer): string | null
  /** The same for the same secret under the same key: it finds the lines of a secret that one holds. */
  fingerprint(keyId: string, secret: Secret): string | null
}

const KEY_BYTES = 32
const CHAIN = 'token-vault audit chain v1'
const FINGERPRINT = 'token-vault audit fingerprint v1'
const FINGERPRINT_BYTES = 16

/** RFC 5869: one key for each use, so that no use says anything about another one or about the master key. */
export function createAuditKeys(masterKeys: readonly MasterKey[]): AuditKeys {
  const [current] = masterKeys
  if (current === undefined) throw new Error('a master key is needed')
  const chain = new Map(masterKeys.map(({ id, bytes }) => [id, derive(bytes, CHAIN)]))
  const print = new Map(masterKeys.map(({ id, bytes }) => [id, derive(bytes, FINGERPRINT)]))
  return {
    currentId: current.id,
    ids: masterKeys.map(({ id }) => id),
    mac(keyId, previousMac, line) {
      // Neither a mac nor a line holds a line feed: no two pairs of them read the same.
      return chain.get(keyId)?.(`${previousMac}\n`, line).toString('base64url') ?? null
    },
    fingerprint(keyId, secret) {
      return print.get(keyId)?.(secret.reveal()).toString('base64url', 0, FINGERPRINT_BYTES) ?? null
    },
  }
}

function derive(masterKey: Buffer, use: string): Hmac {
  return hmacUnder(createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, '', use, KEY_BYTES))))
}

import { randomBytes } from 'node:crypto'
import type { Scope } from './caller.ts'
import type { Event } from './event.ts'
import { sha256 } from './sha256.ts'

/** What is known of an API key: everything but the key. */
export interface ApiKey {
  namespaceId: string
  id: string
  name: string
  scopes: Scope[]
  createdAt: Date
  /** Null: never. */
  expiresAt: Date | null
  /** Written at most once a minute. */
  lastUsedAt: Date | null
}

/** A key as it is stored, and the storage's clock when it was read. */
export interface StoredApiKey {
  apiKey: ApiKey
  digest: Buffer
  now: Date
}

/** Keeps API keys. Rejects with the VaultError `storage_unavailable` while the storage cannot be reached. */
export interface ApiKeyStore {
  /** The storage's clock, by which keys expire. */
  now(): Promise<Date>
  find(id: string): Promise<StoredApiKey | null>
  /** All of a namespace, oldest first, expired ones too. */
  list(namespaceId: string): Promise<ApiKey[]>
  add(key: Omit<ApiKey, 'createdAt' | 'lastUsedAt'>, digest: Buffer, event: Event): Promise<ApiKey>
  /** Resolves with false where there is no such key. */
  remove(namespaceId: string, id: string, event: Event): Promise<boolean>
  /** Notes its use, unless one was noted within the minute: by another replica, perhaps. */
  touch(namespaceId: string, id: string): Promise<void>
}

/** `tv_<key id>_<secret>`: the id is public, the secret is 256 random bits in base64url. */
const API_KEY = /^tv_([a-z0-9]{3,32})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32
const ID_BYTES = 10

/** The id of an API key; null for a text that is none. */
export function apiKeyId(text: string): string | null {
  return API_KEY.exec(text)?.[1] ?? null
}

export function newApiKeyId(): string {
  return randomBytes(ID_BYTES).toString('hex')
}

export function generateApiKey(id: string): string {
  return `tv_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

/** What is kept of a key. It is no password: 256 random bits need no slow hash. */
export function digestOfKey(key: string): Buffer {
  return sha256(key)
}

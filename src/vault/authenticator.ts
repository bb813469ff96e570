import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKeyStore, StoredApiKey } from '../domain/api-key.ts'
import { apiKeyId, digestOfKey } from '../domain/api-key.ts'
import type { Caller } from '../domain/caller.ts'
import { SCOPES } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { storageUnavailable } from '../domain/errors.ts'
import { remember } from '../domain/remember.ts'
import type { Secret } from '../domain/secret.ts'
import { createSingleFlight } from '../domain/single-flight.ts'

/** Tells whose API key this is. */
export interface Authenticator {
  /**
   * Null for a key that is malformed, unknown, expired or revoked: no caller learns which.
   * @throws VaultError `storage_unavailable` where nobody knows, or knew it too long ago
   */
  authenticate(key: string): Promise<Caller | null>
}

interface AuthenticatorParts {
  store: ApiKeyStore
  clock: Clock
  /** The operator's own key, with every scope in `namespaceId`, for as long as it is set. */
  bootstrap: { key: Secret | null; namespaceId: string }
}

/** For as long what was read of a key is enough to let it in. */
const CACHE_MS = 3_000
/** A revoked key is refused within 5 s, however long the storage took to say what it knew of it before. */
const MOST_AGE_MS = 4_000
const CACHED_KEYS = 10_000
const USE_NOTED_EVERY_MS = 60_000

interface ReadKey {
  stored: StoredApiKey
  caller: Caller
  startedMs: number
  /** Its use was noted since it was read. */
  isNoted: boolean
}

/**
 * Stored keys, read again every few seconds, and the operator's own one. What is known lets a key in; it is refused
 * only by what is read for it, so that an unknown id takes as long as a wrong secret. Ids that are none are not kept:
 * a crowd of them pushes out no key that is in use.
 */
export function createAuthenticator({ store, clock, bootstrap }: AuthenticatorParts): Authenticator {
  const known = new Map<string, ReadKey>()
  const readOnce = createSingleFlight<ReadKey | null>()
  const bootstrapCaller = callerOfBootstrap(bootstrap)

  const read = async (id: string): Promise<ReadKey | null> => {
    const startedMs = clock.monotonicMs()
    const stored = await store.find(id)
    const key = stored && { stored, caller: callerOf(stored), startedMs, isNoted: false }
    if (key === null) known.delete(id)
    else remember(known, id, key, CACHED_KEYS)
    return key
  }
  const isCurrent = (key: ReadKey | undefined): key is ReadKey =>
    key !== undefined && clock.monotonicMs() - key.startedMs < CACHE_MS
  const admit = (digest: Buffer, key: ReadKey | null): Caller | null => {
    // Always a comparison, as of a wrong secret.
    const matches = timingSafeEqual(digest, key?.stored.digest ?? randomBytes(digest.length))
    if (key === null || !matches) return null
    const ageMs = clock.monotonicMs() - key.startedMs
    if (isExpired(key.stored, ageMs)) return null
    if (ageMs >= MOST_AGE_MS) throw storageUnavailable('The database answers too slowly just now.')
    if (!key.isNoted) noteUse(store, key.stored)
    key.isNoted = true
    return key.caller
  }

  return {
    async authenticate(key) {
      const digest = digestOfKey(key)
      if (bootstrapCaller !== null && timingSafeEqual(digest, bootstrapCaller.digest))
        return bootstrapCaller.caller
      const id = apiKeyId(key)
      if (id === null) return null
      const cached = known.get(id)
      const admitted = isCurrent(cached) ? admit(digest, cached) : null
      return admitted ?? admit(digest, await readOnce(id, () => read(id)))
    },
  }
}

function callerOf({ apiKey: { id: keyId, namespaceId, scopes } }: StoredApiKey): Caller {
  return { keyId, namespaceId, scopes: new Set(scopes) }
}

function callerOfBootstrap({ key, namespaceId }: AuthenticatorParts['bootstrap']) {
  const keyId = apiKeyId(key?.reveal() ?? '')
  if (key === null || keyId === null) return null
  const caller: Caller = { keyId, namespaceId, scopes: new Set(SCOPES) }
  return { caller, digest: digestOfKey(key.reveal()) }
}

function isExpired({ apiKey, now }: StoredApiKey, elapsedMs: number): boolean {
  return apiKey.expiresAt !== null && apiKey.expiresAt.getTime() <= now.getTime() + elapsedMs
}

function noteUse(store: ApiKeyStore, { apiKey, now }: StoredApiKey): void {
  const { lastUsedAt, namespaceId, id } = apiKey
  if (lastUsedAt !== null && now.getTime() - lastUsedAt.getTime() < USE_NOTED_EVERY_MS) return
  store.touch(namespaceId, id).catch(() => undefined)
}

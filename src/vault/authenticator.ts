import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKeyStore, StoredApiKey } from '../domain/api-key.ts'
import { apiKeyId, digestOfKey } from '../domain/api-key.ts'
import type { Authenticator } from '../domain/authenticator.ts'
import type { Caller } from '../domain/caller.ts'
import { SCOPES } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import type { Secret } from '../domain/secret.ts'

export interface AuthenticatorParts {
  store: ApiKeyStore
  clock: Clock
  /** The operator's own key, with every scope in `namespaceId`, for as long as it is set. */
  bootstrap: { key: Secret | null; namespaceId: string }
}

/** A revoked key is refused after this at the latest, on every replica. */
const CACHE_MS = 3_000
const CACHED_KEYS = 10_000
const USE_NOTED_EVERY_MS = 60_000

interface CachedKey {
  reading: Promise<StoredApiKey | null>
  startedMs: number
  /** Its use was noted since it was read. */
  isNoted: boolean
}

/** Stored keys, read again every few seconds, and the operator's own one. */
export function createAuthenticator({ store, clock, bootstrap }: AuthenticatorParts): Authenticator {
  const known = new Map<string, CachedKey>()
  /** Ids that are none, or not known yet, apart: a crowd of them pushes out no key that is in use. */
  const strange = new Map<string, CachedKey>()
  const bootstrapCaller = callerOfBootstrap(bootstrap)

  const readCached = (id: string): CachedKey => {
    const startedMs = clock.monotonicMs()
    const isFresh = (cached: CachedKey | undefined) =>
      cached !== undefined && startedMs - cached.startedMs < CACHE_MS
    const cached = [known.get(id), strange.get(id)].find(isFresh)
    if (cached !== undefined) return cached
    const fresh = { reading: store.find(id), startedMs, isNoted: false }
    known.delete(id)
    keep(strange, id, fresh)
    fresh.reading.then(
      (stored) => {
        if (stored === null) return
        strange.delete(id)
        keep(known, id, fresh)
      },
      () => strange.delete(id),
    )
    return fresh
  }

  return {
    async authenticate(key) {
      const digest = digestOfKey(key)
      if (bootstrapCaller !== null && timingSafeEqual(digest, bootstrapCaller.digest))
        return bootstrapCaller.caller
      const id = apiKeyId(key)
      if (id === null) return null
      const cached = readCached(id)
      const { startedMs } = cached
      const stored = await cached.reading
      // Always a comparison, so that an unknown id takes as long as a wrong secret.
      const matches = timingSafeEqual(digest, stored?.digest ?? randomBytes(digest.length))
      if (stored === null || !matches || isExpired(stored, clock.monotonicMs() - startedMs)) return null
      if (!cached.isNoted) noteUse(store, stored)
      cached.isNoted = true
      const { id: keyId, namespaceId, scopes } = stored.apiKey
      return { keyId, namespaceId, scopes: new Set(scopes) }
    },
  }
}

/** The latest last; of too many the eldest is forgotten. */
function keep(cache: Map<string, CachedKey>, id: string, key: CachedKey): void {
  cache.delete(id)
  cache.set(id, key)
  const [eldest] = cache.keys()
  if (cache.size > CACHED_KEYS && eldest !== undefined) cache.delete(eldest)
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

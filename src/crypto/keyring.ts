import { createSecretKey, randomBytes } from 'node:crypto'
import { StartupError, storageUnavailable, unauthorized } from '../domain/errors.ts'
import type { DataKeyStore, Keyring, NamespaceKeys, WrappedKey } from '../domain/keyring.ts'
import { MasterKeyError } from '../domain/keyring.ts'
import { createSingleFlight } from '../domain/single-flight.ts'
import type { MasterKeys } from './master-keys.ts'
import { createNamespaceKeys, keyIdOf } from './namespace-keys.ts'

/** For as long a replica may go on sealing under a key that is no longer the primary one. */
export const KEY_CACHE_MS = 60_000
const CACHED_NAMESPACES = 10_000
/**
 * With random 96-bit nonces a key may seal at most 2^32 values (NIST SP 800-38D, 8.3). A namespace of ten million
 * tokens that live for half an hour is renewed every 1,350 s; where the provider rotates, each renewal seals two values:
 * 1,280 million a day, so a key retires after 3.
 */
const PRIMARY_KEY_DAYS = 3
const KEY_BYTES = 32
/** Counting more of what a missing key costs would make a start that fails a slow one. */
const MOST_COUNTED = 100_000

const TOLD_EVERY_MS = 60_000

export interface KeyringOptions {
  cacheMs?: number
  /** Told of a master key that is missing or wrong: once a minute, for as long as it is asked for. */
  onLocked?: (error: MasterKeyError) => void
}

interface CachedKeys {
  keys: NamespaceKeys
  keyIds: Set<number>
  loadedAtMs: number
}

/** Data keys, unwrapped on demand and kept in memory for a minute. */
export function createKeyring(
  store: DataKeyStore,
  master: MasterKeys,
  now: () => number,
  { cacheMs = KEY_CACHE_MS, onLocked = () => undefined }: KeyringOptions = {},
): Keyring {
  const unlock = createUnlocking(master, now, onLocked)
  const cache = new Map<string, CachedKeys>()
  const once = createSingleFlight<CachedKeys>()

  const isOld = ({ loadedAtMs }: CachedKeys) => {
    const ageMs = now() - loadedAtMs
    // The clock has been set back: nobody knows how old they are.
    return ageMs < 0 || ageMs >= cacheMs
  }
  const load = async (namespaceId: string, since = new Date(0)): Promise<CachedKeys> => {
    const loadedAtMs = now()
    const oldest = new Date(Math.max(since.getTime(), loadedAtMs - PRIMARY_KEY_DAYS * 86_400_000))
    const wrapped = await completeKeys(namespaceId, store, master, oldest)
    const cached = { ...unlock(namespaceId, wrapped), loadedAtMs }
    cache.delete(namespaceId)
    cache.set(namespaceId, cached)
    for (const [id, eldest] of cache) {
      if (cache.size <= CACHED_NAMESPACES && !isOld(eldest)) break
      cache.delete(id)
    }
    return cached
  }
  const loadOnce = (namespaceId: string) => once(namespaceId, () => load(namespaceId))

  return {
    async keysOf(namespaceId, sealed = []) {
      const knowsAll = ({ keyIds }: CachedKeys) => sealed.every((value) => keyIds.has(keyIdOf(value)))
      const cached = cache.get(namespaceId)
      if (cached && knowsAll(cached) && !isOld(cached)) return cached.keys
      const loaded = await loadOnce(namespaceId)
      // It may have been under way since before the other replica made its key.
      return (knowsAll(loaded) ? loaded : await loadOnce(namespaceId)).keys
    },
    async keysSince(namespaceId, since) {
      return (await load(namespaceId, since)).keys
    },
  }
}

/**
 * Tries one stored key for each master key that is in use.
 * @throws StartupError with a line for each master key that is missing or wrong
 */
export async function checkMasterKeys(store: DataKeyStore, master: MasterKeys): Promise<void> {
  const faults: string[] = []
  for (const sample of await store.sampleKeys()) {
    if (opens(sample, master)) continue
    const { masterKeyId } = sample
    const rows = rowsOf(await store.countNeeding(masterKeyId, MOST_COUNTED + 1))
    const fault = master.has(masterKeyId)
      ? `is not the one that ${rows} need: give the original key`
      : `is missing, ${rows} need it: add it to the list`
    faults.push(`TOKEN_VAULT_MASTER_KEYS: key "${masterKeyId}" ${fault}`)
  }
  if (faults.length > 0) throw new StartupError(...faults)
}

/** Where not all keys were counted, not all of their tokens were. */
function rowsOf({ keys, tokens }: { keys: number; tokens: number }): string {
  const known = keys > MOST_COUNTED ? 'the tokens' : number(tokens, 'token')
  return `${number(keys, 'stored data key')}, and ${known} with them,`
}

function number(count: number, what: string): string {
  if (count > MOST_COUNTED) return `more than ${MOST_COUNTED.toLocaleString('en')} ${what}s`
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}

function opens(key: WrappedKey, master: MasterKeys): boolean {
  try {
    master.unwrap(key)
    return true
  } catch {
    return false
  }
}

/** Unwraps keys; where a master key is in the way, callers are told to come again, and the operator why. */
function createUnlocking(master: MasterKeys, now: () => number, onLocked: (error: MasterKeyError) => void) {
  const toldAtMs = new Map<string, number>()
  return (namespaceId: string, wrapped: WrappedKey[]) => {
    try {
      return unwrap(namespaceId, wrapped, master)
    } catch (cause) {
      if (!(cause instanceof MasterKeyError)) throw cause
      if (now() - (toldAtMs.get(cause.masterKeyId) ?? -Infinity) >= TOLD_EVERY_MS) {
        toldAtMs.set(cause.masterKeyId, now())
        onLocked(cause)
      }
      throw storageUnavailable('This replica lacks a key of the operator.', cause)
    }
  }
}

/** The namespace's keys, after making what is missing or has grown too old to seal with. */
async function completeKeys(
  namespaceId: string,
  store: DataKeyStore,
  master: MasterKeys,
  oldest: Date,
): Promise<WrappedKey[]> {
  const stored = await store.listKeys(namespaceId)
  const newest = stored.findLast(({ purpose }) => purpose === 'seal')
  const lastId = stored.at(-1)?.id ?? 0
  const missing: WrappedKey['purpose'][] = []
  if (!stored.some(({ purpose }) => purpose === 'lookup')) missing.push('lookup')
  if (newest === undefined || newest.createdAt < oldest) missing.push('seal')
  if (missing.length === 0) return stored
  for (const [index, purpose] of missing.entries()) {
    const place = { namespaceId, id: lastId + 1 + index, purpose }
    await store.addKey({ ...place, ...master.wrap(place, randomBytes(KEY_BYTES)) })
  }
  const complete = await store.listKeys(namespaceId)
  if (complete.length > 0) return complete
  throw unauthorized()
}

function unwrap(
  namespaceId: string,
  wrapped: WrappedKey[],
  master: MasterKeys,
): Omit<CachedKeys, 'loadedAtMs'> {
  const open = (key: WrappedKey) => createSecretKey(master.unwrap(key))
  const sealing = wrapped.filter(({ purpose }) => purpose === 'seal')
  const lookup = wrapped.find(({ purpose }) => purpose === 'lookup')
  const primary = sealing.at(-1)
  if (lookup === undefined || primary === undefined) throw new Error(`namespace ${namespaceId} has no keys`)
  const keys = createNamespaceKeys({
    namespaceId,
    sealing: new Map(sealing.map((key) => [key.id, open(key)])),
    primaryId: primary.id,
    lookup: open(lookup),
  })
  return { keys, keyIds: new Set(sealing.map(({ id }) => id)) }
}

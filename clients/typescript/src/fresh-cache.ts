import { isOutage } from './retry.ts'
import type { VaultToken } from './zoho-mapping.ts'

/** How long a caller waits for the vault while it could go on with a token that lives. */
const PATIENCE_MS = 2_000
/** After a failed read, how long the token that lives is used without asking again. */
const RESPITE_MS = 5_000
/** Of a token's remaining life, the part that is always kept as a margin. */
const SMALLEST_MARGIN = 1 / 5
const MOST_ENTRIES = 10_000

export interface FreshCachePolicy {
  /** Seconds for which a token is used without asking the vault again; 0 asks at each call. */
  cacheSeconds: number
  /** Seconds of life that callers want left. */
  minTtl: number
}

interface Entry extends VaultToken {
  /** Epoch milliseconds from and until which the vault is not asked. */
  freshFromMs: number
  freshUntilMs: number
}

type Read = () => Promise<VaultToken | null>

/**
 * Keeps what the vault answered, for a while and never beyond the access token's own life. Calls for one key at the
 * same time make one read. While the vault is away or slow, a token that lives is used.
 */
export class FreshCache {
  readonly #policy: FreshCachePolicy
  readonly #entries = new Map<string, Entry>()
  readonly #reads = new Map<string, Promise<VaultToken | null>>()

  constructor(policy: FreshCachePolicy) {
    this.#policy = policy
  }

  /** What the vault says of `key`, from the cache where that is still fresh; null is never cached. */
  async get(key: string, read: Read): Promise<VaultToken | null> {
    const entry = this.#entries.get(key)
    if (entry !== undefined && isFresh(entry)) return entry
    const reading = this.#reads.get(key) ?? this.#startReading(key, read)
    if (entry === undefined || !lives(entry)) return reading
    return orElse(reading, entry, () => {
      this.#grantRespite(entry)
    })
  }

  /** The last answer about a token, however old. */
  lastSeen(id: string): VaultToken | null {
    return this.#entries.get(keyOfId(id)) ?? null
  }

  /** Forgets a token, or all, and whatever is being read: an answer under way may be older than the change. */
  drop(id?: string): void {
    this.#reads.clear()
    this.#forget(id)
  }

  #forget(id?: string): void {
    for (const [key, entry] of this.#entries) {
      if (id === undefined || entry.token.id === id) this.#entries.delete(key)
    }
  }

  #startReading(key: string, read: Read): Promise<VaultToken | null> {
    const reading: Promise<VaultToken | null> = this.#readInto(
      key,
      read,
      () => this.#reads.get(key) === reading,
    )
    this.#reads.set(key, reading)
    return reading
  }

  async #readInto(key: string, read: Read, isCurrent: () => boolean): Promise<VaultToken | null> {
    // Not before the read is listed, so that `isCurrent` can tell.
    await Promise.resolve()
    try {
      const found = await read()
      if (isCurrent()) this.#keep(key, found)
      return found
    } finally {
      if (isCurrent()) this.#reads.delete(key)
    }
  }

  #keep(key: string, found: VaultToken | null): void {
    if (found === null) {
      const gone = this.#entries.get(key)
      if (gone !== undefined) this.#forget(gone.token.id)
      return
    }
    const now = Date.now()
    const entry = { ...found, freshFromMs: now, freshUntilMs: this.#freshUntil(found, now) }
    this.#set(key, entry)
    this.#set(keyOfId(found.token.id), entry)
  }

  #set(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= MOST_ENTRIES) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  #freshUntil({ expiresAtMs }: VaultToken, now: number): number {
    const longest = now + this.#policy.cacheSeconds * 1000
    if (expiresAtMs === null) return longest
    // Short-lived tokens would never be cached if they had to keep all of minTtl.
    const margin = Math.min(this.#policy.minTtl * 1000, (expiresAtMs - now) * SMALLEST_MARGIN)
    return Math.min(longest, expiresAtMs - margin)
  }

  #grantRespite(entry: Entry): void {
    const until = Date.now() + Math.min(RESPITE_MS, this.#policy.cacheSeconds * 1000)
    entry.freshUntilMs = Math.min(until, entry.expiresAtMs ?? Infinity)
  }
}

export const keyOfId = (id: string) => `id:${id}`

/** A clock that was set back would otherwise keep a token for longer than it lives. */
const isFresh = ({ freshFromMs, freshUntilMs }: Entry, now = Date.now()) =>
  freshFromMs <= now && now < freshUntilMs

const lives = (entry: Entry) => entry.expiresAtMs === null || entry.expiresAtMs > Date.now()

/** The outcome of `reading`, or `entry` when that takes too long or fails for a reason that passes. */
async function orElse(reading: Promise<VaultToken | null>, entry: Entry, onRespite: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'late')
  })
  try {
    const first = await Promise.race([reading, late])
    if (first !== 'late') return first
    if (!lives(entry)) return await reading
  } catch (error) {
    if (!isOutage(error) || !lives(entry)) throw error
  } finally {
    clearTimeout(timer)
  }
  onRespite()
  return entry
}

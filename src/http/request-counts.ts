import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'

interface Window {
  count: number
  endsAtMs: number
}

/**
 * Counts requests in fixed windows. The plugin's own store hands out the very object that it counts on: of requests
 * that come at once each would see the count of all, and a burst of a key be refused whole.
 */
export function requestCounts(mostKeys: number, nowMs: () => number): FastifyRateLimitStoreCtor {
  return class implements FastifyRateLimitStore {
    readonly #windows = new Map<string, Window>()

    incr(...[key, callback, timeWindow]: Parameters<FastifyRateLimitStore['incr']>): void {
      const now = nowMs()
      const last = this.#windows.get(key)
      const window =
        last !== undefined && last.endsAtMs > now ? last : { count: 0, endsAtMs: now + timeWindow }
      window.count += 1
      this.#windows.delete(key)
      this.#windows.set(key, window)
      const [eldest] = this.#windows.keys()
      if (this.#windows.size > mostKeys && eldest !== undefined) this.#windows.delete(eldest)
      callback(null, { current: window.count, ttl: window.endsAtMs - now })
    }

    child(): FastifyRateLimitStore {
      return this
    }
  }
}

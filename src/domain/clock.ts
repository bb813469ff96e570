/** Time as the vault's own waiting needs it; instants come from the storage. */
export interface Clock {
  /** Milliseconds that only grow, as `performance.now()`. */
  monotonicMs(): number
  /** Resolves early, without a value, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

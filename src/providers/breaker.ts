/** A request that was let through: says what came of it, once. */
export type Pass = (end: End) => void

/** `undecided` says nothing of the endpoint; a failure names the token that it was a request for. */
export type End = 'answered' | 'undecided' | { failedFor: string }

/** Holds requests back from an endpoint that is down. */
export interface Breaker {
  /**
   * Null while the endpoint is left alone, but for what cannot wait. Whoever gets a pass uses it, however the request
   * ends.
   */
  admit(cannotWait: boolean): Pass | null
  isOpen(): boolean
  /** Would the next request be the probe? */
  isProbeDue(): boolean
  /** How long it is left alone yet. */
  pauseLeftMs(): number
}

interface BreakerOptions {
  monotonicMs: () => number
  random: () => number
  onOpen: () => void
  onClose: () => void
}

const FAILURES_IN_A_ROW = 10
/** One token alone may be what the endpoint stumbles over. */
const TOKENS = 2
const PAUSE_MS = { first: 5000, longest: 60_000 }

/**
 * Opens after ten failures in a row, of two tokens at least. Then one request passes a pause, the probe: the pauses
 * grow from 5 to 60 seconds, each shortened by up to a half, so that replicas do not probe together. Any answer
 * closes it, even one to a request from before, or to one that could not wait.
 */
export function createBreaker({ monotonicMs, random, onOpen, onClose }: BreakerOptions): Breaker {
  let failures = 0
  const tokens = new Set<string>()
  /** Null while closed. */
  let pauseMs: number | null = null
  let probeAtMs = 0
  let probing = false

  const pauseFor = (ms: number) => {
    pauseMs = Math.min(ms, PAUSE_MS.longest)
    probeAtMs = monotonicMs() + pauseMs * (1 - random() / 2)
  }
  const answered = () => {
    const wasOpen = pauseMs !== null
    failures = 0
    tokens.clear()
    pauseMs = null
    if (wasOpen) onClose()
  }
  const failed = (token: string, isProbe: boolean) => {
    if (pauseMs !== null) {
      // One that was sent before it opened, or that could not wait, brings no news.
      if (isProbe) pauseFor(pauseMs * 2)
      return
    }
    failures += 1
    if (tokens.size < TOKENS) tokens.add(token)
    if (failures < FAILURES_IN_A_ROW || tokens.size < TOKENS) return
    pauseFor(PAUSE_MS.first)
    onOpen()
  }
  const isProbeDue = () => pauseMs !== null && !probing && monotonicMs() >= probeAtMs
  return {
    isOpen: () => pauseMs !== null,
    isProbeDue,
    pauseLeftMs: () => Math.max(0, probeAtMs - monotonicMs()),
    admit(cannotWait) {
      const isProbe = isProbeDue()
      if (pauseMs !== null && !isProbe && !cannotWait) return null
      probing ||= isProbe
      return (end) => {
        if (isProbe) probing = false
        if (end === 'answered') answered()
        else if (end !== 'undecided') failed(end.failedFor, isProbe)
      }
    },
  }
}

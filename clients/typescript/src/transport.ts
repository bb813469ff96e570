import { readAnswer } from './answer.ts'
import type { ToldBy } from './answer.ts'
import { isNotFound, TokenVaultError } from './errors.ts'
import { isUnanswered, pauseBeforeRetry } from './retry.ts'

/** Where the vault is and how to speak to it. */
export interface TokenVaultClientOptions {
  /** The vault's address without `/v1`, such as `http://127.0.0.1:8080`; a path before that is kept. */
  url: string
  /** An API key, `tv_…`. It is kept out of every error and log. */
  apiKey: string
  /** The `fetch` to use; the runtime's own by default. */
  fetch?: typeof globalThis.fetch | undefined
  /** Milliseconds for one attempt, over 0; 20,000 by default, which is more than the vault waits for a provider. */
  timeoutMs?: number | undefined
  /** Milliseconds after the first attempt in which another may begin; 5,000 by default, 0 never retries. */
  retryForMs?: number | undefined
}

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  /** Path and query, from `/v1` on. */
  path: string
  toldBy: ToldBy
  /** The body; told how many whole seconds have gone by since the first attempt. */
  body?: (elapsedSeconds: number) => object
  headers?: Record<string, string>
  /** May it be sent again when nobody knows whether it arrived? */
  repeatable: boolean
}

/** What a timer can hold, some 24 days: one that is set for longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const pauseFor = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function parseUrl(url: string): URL | null {
  try {
    return new URL(url)
  } catch {
    return null
  }
}

function baseUrlOf(url: string): URL {
  const base = parseUrl(url)
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new TypeError(
      'url must be the http or https address of a token vault, such as http://127.0.0.1:8080',
    )
  }
  if (base.username !== '' || base.password !== '')
    throw new TypeError('url must not carry a user or a password')
  // The vault knows no such route: better to say so at once than at the first call.
  if (/\/v1\/*$/.test(base.pathname))
    throw new TypeError('url must be the address before /v1, such as http://127.0.0.1:8080')
  return base
}

function authorizationOf(apiKey: string): string {
  const key = typeof apiKey === 'string' ? apiKey.trim() : ''
  // A header that fetch refuses would be quoted in its error, key and all.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new TypeError('apiKey must be an API key of the token vault, tv_…')
  return `Bearer ${key}`
}

function timeLimitOf(timeoutMs: number): number {
  if (!(timeoutMs > 0)) throw new TypeError('timeoutMs must be over 0')
  return Math.min(timeoutMs, LONGEST_TIMER_MS)
}

/** One vault, asked over HTTP: time limits, retries and errors are the same for every call. */
export class Transport {
  readonly origin: string
  readonly #base: string
  readonly #authorization: string
  readonly #fetch: typeof globalThis.fetch
  readonly #timeoutMs: number
  readonly #retryForMs: number

  constructor(options: TokenVaultClientOptions) {
    const base = baseUrlOf(options.url)
    this.origin = base.origin
    this.#base = base.origin + base.pathname.replace(/\/+$/, '')
    this.#authorization = authorizationOf(options.apiKey)
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
    this.#timeoutMs = timeLimitOf(options.timeoutMs ?? 20_000)
    this.#retryForMs = options.retryForMs ?? 5_000
  }

  async send(call: Call): Promise<unknown> {
    const startedAt = performance.now()
    let mayBeDone = false
    for (let failures = 1; ; failures += 1) {
      const elapsedMs = performance.now() - startedAt
      try {
        return await this.#attempt(call, Math.floor(elapsedMs / 1000))
      } catch (error) {
        // There is none any more: an attempt without an answer has deleted it.
        if (mayBeDone && call.method === 'DELETE' && isNotFound(error)) return null
        mayBeDone ||= isUnanswered(error)
        const leftMs = call.repeatable ? this.#retryForMs - (performance.now() - startedAt) : -1
        const pauseMs = pauseBeforeRetry({ error, failures, leftMs, random: Math.random })
        if (pauseMs === null) throw error
        await pauseFor(pauseMs)
      }
    }
  }

  async #attempt(call: Call, elapsedSeconds: number): Promise<unknown> {
    const abort = new AbortController()
    const timer = setTimeout(() => {
      abort.abort()
    }, this.#timeoutMs)
    try {
      const address = this.#base + call.path
      const response = await this.#fetch(address, this.#request(call, elapsedSeconds, abort.signal))
      const [url = ''] = address.split('?', 1)
      return readAnswer(response, await response.text(), { origin: this.origin, url, toldBy: call.toldBy })
    } catch (error) {
      throw error instanceof TokenVaultError ? error : this.#unreachable(error, abort.signal.aborted)
    } finally {
      clearTimeout(timer)
    }
  }

  #request(call: Call, elapsedSeconds: number, signal: AbortSignal): RequestInit {
    const headers: Record<string, string> = { accept: 'application/json', authorization: this.#authorization }
    // A redirect could carry the body, secrets and all, to another host.
    const request = { method: call.method, redirect: 'manual' as const, signal }
    if (call.body === undefined) return { ...request, headers: { ...headers, ...call.headers } }
    headers['content-type'] = 'application/json'
    return {
      ...request,
      headers: { ...headers, ...call.headers },
      body: JSON.stringify(call.body(elapsedSeconds)),
    }
  }

  #unreachable(error: unknown, timedOut: boolean): TokenVaultError {
    if (timedOut) {
      const detail = `The token vault at ${this.origin} has not answered within ${this.#timeoutMs} ms.`
      return new TokenVaultError(0, 'timeout', detail, { cause: error })
    }
    const detail = `The token vault at ${this.origin} cannot be reached: ${reasonOf(error)}.`
    return new TokenVaultError(0, 'unreachable', detail, { cause: error })
  }
}

/** The system's own code where there is one (ECONNREFUSED, ENOTFOUND): fetch says no more than "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed'
  const cause = error.cause as { code?: unknown; message?: unknown } | undefined
  if (typeof cause?.code === 'string' && cause.code !== '') return cause.code
  return typeof cause?.message === 'string' && cause.message !== '' ? cause.message : error.message
}

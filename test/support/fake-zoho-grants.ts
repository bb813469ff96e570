import { randomBytes } from 'node:crypto'

/** A person who uses the CRM: the SDK's user name is `email:zgid`. */
export interface ZohoUser {
  email: string
  zgid: string
  /** Of this user's access tokens, where it is not the one of all. */
  lifetimeSeconds?: number
}

export interface GrantPolicy {
  lifetimeSeconds: number
  /** Each refresh replaces the refresh token, and a replaced one that comes again kills its whole family. */
  rotates: boolean
  /** More refreshes of one refresh token than `count` within the window are refused; null allows any number. */
  limit: { count: number; windowSeconds: number } | null
}

export type Verdict =
  | {
      error:
        'invalid_code' | 'invalid_client' | 'invalid_redirect_uri' | 'invalid_client_secret' | 'throttled'
    }
  | { accessToken: string; lifetimeSeconds: number; refreshToken?: string }

interface Code {
  clientId: string
  user: ZohoUser
  /** The refresh token that it was traded for, once. */
  tradedFor: string | null
  /** What the exchange must bring, as the request for the code said. */
  redirectUrl: string | null
  verifier: string | null
  /** The refresh token that its user has already, and gets once more; null for a new one. */
  regranted: string | null
}

interface Family {
  clientId: string
  user: ZohoUser
  /** The refresh token that works; null once revoked. */
  current: string | null
  refreshedAtMs: number[]
}

const token = () => `1000.${randomBytes(16).toString('hex')}.${randomBytes(16).toString('hex')}`

/** What Zoho knows: clients, users, authorization codes, refresh and access tokens. */
export class ZohoGrants {
  readonly policy: GrantPolicy = { lifetimeSeconds: 3600, rotates: false, limit: null }
  readonly #clients = new Map<string, string>()
  readonly #codes = new Map<string, Code>()
  readonly #families = new Map<string, Family>()
  readonly #accessTokens = new Map<string, { user: ZohoUser; expiresAtMs: number }>()

  addClient(id: string, secret: string): void {
    this.#clients.set(id, secret)
  }

  createCode(
    clientId: string,
    user: ZohoUser,
    bound: Partial<Pick<Code, 'redirectUrl' | 'verifier'>> = {},
  ): string {
    const code = token()
    this.#codes.set(code, {
      clientId,
      user,
      tradedFor: null,
      redirectUrl: null,
      verifier: null,
      regranted: null,
      ...bound,
    })
    return code
  }

  /** Does this refresh token still work? */
  isLive(refreshToken: string): boolean {
    return this.#families.get(refreshToken)?.current === refreshToken
  }

  createRefreshToken(clientId: string, user: ZohoUser): string {
    const refreshToken = token()
    this.#families.set(refreshToken, { clientId, user, current: refreshToken, refreshedAtMs: [] })
    return refreshToken
  }

  /** Trades this code for a refresh token that was given before, as other providers do. */
  regrant(code: string, refreshToken: string): void {
    const known = this.#codes.get(code)
    if (known !== undefined) known.regranted = refreshToken
  }

  /** False for a refresh token that Zoho has never seen. */
  revoke(refreshToken: string): boolean {
    const family = this.#families.get(refreshToken)
    if (family !== undefined) family.current = null
    return family !== undefined
  }

  /** Whose access token it is; null for an unknown or expired one. */
  userOf(accessToken: string): ZohoUser | null {
    const known = this.#accessTokens.get(accessToken)
    return known !== undefined && known.expiresAtMs > Date.now() ? known.user : null
  }

  /** A code that comes a second time kills what it was traded for, as RFC 6749 (4.1.2) wants it. */
  exchange(form: URLSearchParams): Verdict {
    const clientId = form.get('client_id') ?? ''
    const refusal = this.#refusalOf(clientId, form.get('client_secret') ?? '')
    if (refusal !== null) return { error: refusal }
    const known = this.#codes.get(form.get('code') ?? '')
    if (known?.clientId !== clientId) return { error: 'invalid_code' }
    if (known.redirectUrl !== form.get('redirect_uri') && known.redirectUrl !== null)
      return { error: 'invalid_redirect_uri' }
    if (known.verifier !== form.get('code_verifier')) return { error: 'invalid_code' }
    if (known.tradedFor !== null) {
      this.revoke(known.tradedFor)
      return { error: 'invalid_code' }
    }
    known.tradedFor = known.regranted ?? this.createRefreshToken(clientId, known.user)
    return { ...this.issue(known.user), refreshToken: known.tradedFor }
  }

  refresh(clientId: string, secret: string, refreshToken: string): Verdict {
    const refusal = this.#refusalOf(clientId, secret)
    if (refusal !== null) return { error: refusal }
    const family = this.#families.get(refreshToken)
    if (family?.clientId !== clientId || family.current === null) return { error: 'invalid_code' }
    if (family.current !== refreshToken) {
      family.current = null
      return { error: 'invalid_code' }
    }
    if (this.#isOverLimit(family)) return { error: 'throttled' }
    family.refreshedAtMs.push(Date.now())
    const issued = this.issue(family.user)
    return this.policy.rotates ? { ...issued, refreshToken: this.#rotate(family) } : issued
  }

  #refusalOf(clientId: string, secret: string): 'invalid_client' | 'invalid_client_secret' | null {
    if (!this.#clients.has(clientId)) return 'invalid_client'
    return this.#clients.get(clientId) === secret ? null : 'invalid_client_secret'
  }

  #isOverLimit(family: Family): boolean {
    const { limit } = this.policy
    if (limit === null) return false
    const since = Date.now() - limit.windowSeconds * 1000
    return family.refreshedAtMs.filter((at) => at > since).length >= limit.count
  }

  /** A new access token of this user. */
  issue(user: ZohoUser): { accessToken: string; lifetimeSeconds: number } {
    const accessToken = token()
    const lifetimeSeconds = user.lifetimeSeconds ?? this.policy.lifetimeSeconds
    this.#accessTokens.set(accessToken, { user, expiresAtMs: Date.now() + lifetimeSeconds * 1000 })
    return { accessToken, lifetimeSeconds }
  }

  #rotate(family: Family): string {
    const next = token()
    family.current = next
    this.#families.set(next, family)
    return next
  }
}

/** How a provider treats a refresh token that it has replaced. */
export interface ReusePolicy {
  rotates: boolean
  graceMs: number
  /** Does a new refresh token replace all earlier ones of its family, or only the one that was presented? */
  replacesAll: boolean
}

interface Family {
  /** Null while it lives. */
  revokedBy: 'user' | 'reuse' | null
  generation: number
}

interface RefreshToken {
  family: Family
  generation: number
  replacedAtMs: number | null
}

export interface Grant {
  refreshToken: string
  accessToken: string
  expiresInSeconds: number
}

export type Verdict = Grant | 'dead' | 'reuse'

/** A provider that rotates refresh tokens and revokes the family of one that comes again past its grace. */
export class RotatingProvider {
  readonly #policy: ReusePolicy
  readonly #lifetime: () => number
  readonly #families: Family[] = []
  readonly #tokens = new Map<string, RefreshToken>()
  readonly #lives = new Map<string, number>()

  constructor(policy: ReusePolicy, lifetime: () => number) {
    this.#policy = policy
    this.#lifetime = lifetime
  }

  /** A user consents. */
  grant(): Grant {
    const family: Family = { revokedBy: null, generation: 0 }
    this.#families.push(family)
    return this.#issue(family)
  }

  refresh(presented: string, nowMs: number): Verdict {
    const token = this.#tokens.get(presented)
    if (token?.family.revokedBy !== null) return 'dead'
    const { family, replacedAtMs } = token
    if (!this.#policy.rotates) return { ...this.#issue(family), refreshToken: presented }
    if (replacedAtMs !== null && nowMs > replacedAtMs + this.#policy.graceMs) {
      family.revokedBy = 'reuse'
      return 'reuse'
    }
    for (const [value, other] of this.#tokens) {
      const isReplaced = value === presented || (this.#policy.replacesAll && other.family === family)
      if (isReplaced) other.replacedAtMs ??= nowMs
    }
    return this.#issue(family)
  }

  revoke(refreshToken: string): void {
    const family = this.#tokens.get(refreshToken)?.family
    if (family !== undefined) family.revokedBy ??= 'user'
  }

  /** By what the family of this token was revoked; null while it lives. */
  revokedBy(refreshToken: string): Family['revokedBy'] {
    return this.#tokens.get(refreshToken)?.family.revokedBy ?? null
  }

  /** Which in its family it is; null for two that are not of one family. */
  generations(one: string, other: string): [number, number] | null {
    const [first, second] = [this.#tokens.get(one), this.#tokens.get(other)]
    if (first === undefined || first.family !== second?.family) return null
    return [first.generation, second.generation]
  }

  lifeOf(accessToken: string): number | null {
    return this.#lives.get(accessToken) ?? null
  }

  #issue(family: Family): Grant {
    family.generation += 1
    const name = `${this.#families.indexOf(family) + 1}.${family.generation}`
    const expiresInSeconds = this.#lifetime()
    this.#tokens.set(`refresh-${name}`, { family, generation: family.generation, replacedAtMs: null })
    this.#lives.set(`access-${name}`, expiresInSeconds)
    return { refreshToken: `refresh-${name}`, accessToken: `access-${name}`, expiresInSeconds }
  }
}

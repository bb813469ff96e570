import type { Caller } from '../domain/caller.ts'
import type { PartialToken } from '../domain/criterion.ts'
import { findCriteria } from '../domain/criterion.ts'
import { notFound } from '../domain/errors.ts'
import type { CodeToExchange } from '../domain/exchange.ts'
import type { IfVersion } from '../domain/if-version.ts'
import { checkVersion } from '../domain/if-version.ts'
import type { SchedulePolicy } from '../domain/life.ts'
import type { SaveRequest } from '../domain/save.ts'
import { ambiguousMatch } from '../domain/save.ts'
import type { Listed, Openable, Page, Reading, TokenFilter, TokenStore } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { Exchanges } from './exchanges.ts'
import type { FreshParts } from './fresh-token.ts'
import { freshToken, refreshToken } from './fresh-token.ts'
import { planSave } from './plan-save.ts'
import type { Revocations } from './revocations.ts'

type Saved = Reading & { created: boolean; absorbedId: string | null }

/** What callers can do with the tokens of their namespace. Every method may reject with a VaultError. */
export interface Vault {
  /** With `minTtlSeconds` the access token has that much life left, or as much as can be had. */
  find(
    caller: Caller,
    partial: PartialToken,
    minTtlSeconds: number | null,
    openable?: Openable,
  ): Promise<Reading>
  get(caller: Caller, id: string, minTtlSeconds: number | null, openable?: Openable): Promise<Reading>
  list(caller: Caller, page: Page): Promise<Listed>
  /** `absorbedId` is that of the token that became part of this one; null for none. */
  save(caller: Caller, save: SaveRequest, ifVersion: IfVersion): Promise<Saved>
  delete(caller: Caller, id: string, ifVersion: IfVersion): Promise<void>
  /** Resolves with how many there were. */
  deleteMany(caller: Caller, filter: TokenFilter): Promise<number>
  /** Renews now, and reports what came of it. */
  refresh(caller: Caller, id: string, ifVersion: IfVersion): Promise<Reading>
  /** Trades an authorization code and saves the result; `created` is false where it was traded before. */
  exchange(caller: Caller, code: CodeToExchange): Promise<Reading & { created: boolean }>
  /** Revokes it at the provider, then deletes it. */
  revoke(caller: Caller, id: string, ifVersion: IfVersion): Promise<void>
  /** Has it a refresh token, and a provider that is known? */
  isRefreshable(token: Token): boolean
  /** Notes that a caller was given the access token: in the background, and at most hourly. */
  noteUse(reading: Reading): void
}

interface VaultParts extends FreshParts {
  store: TokenStore
  policy: SchedulePolicy
  exchanges: Exchanges
  revocations: Revocations
}

const USE_NOTED_EVERY_MS = 3_600_000

export function createVault(parts: VaultParts): Vault {
  const { store, providers } = parts
  const freshIfAsked = (reading: Reading, minTtlSeconds: number | null) =>
    minTtlSeconds === null ? reading : freshToken(parts, reading, minTtlSeconds)

  return {
    find: async (caller, partial, minTtlSeconds, openable) =>
      freshIfAsked(await findToken(store, caller, partial, openable), minTtlSeconds),
    get: async (caller, id, minTtlSeconds, openable) =>
      freshIfAsked(await readToken(store, caller, id, openable), minTtlSeconds),
    list: ({ namespaceId }, page) => store.list(namespaceId, page),
    async save(caller, save, ifVersion) {
      const planOf = planSave(parts, caller, save, ifVersion)
      const { plan, now } = await store.save(caller.namespaceId, save, planOf)
      return {
        token: plan.token,
        now,
        created: plan.replaces === null,
        absorbedId: plan.absorbed?.id ?? null,
      }
    },
    async delete({ namespaceId, keyId: actor }, id, ifVersion) {
      const deleted = await store.delete({ namespaceId, id }, { type: 'token.deleted', actor }, ifVersion)
      if (!deleted) throw notFound()
    },
    deleteMany: ({ namespaceId, keyId }, filter) =>
      store.deleteMany(namespaceId, filter, { type: 'token.deleted', actor: keyId }),
    async refresh(caller, id, ifVersion) {
      const reading = await readToken(store, caller, id)
      checkVersion(reading.token.version, ifVersion)
      return refreshToken(parts, reading)
    },
    exchange: (caller, code) => parts.exchanges.exchange(caller, code),
    revoke: (caller, id, ifVersion) => parts.revocations.revoke(caller, id, ifVersion),
    isRefreshable: (token) => token.refreshToken !== null && providers.find(token.provider) !== null,
    noteUse({ token, now }) {
      if (token.accessToken === null) return
      if (token.lastUsedAt !== null && now.getTime() - token.lastUsedAt.getTime() < USE_NOTED_EVERY_MS) return
      store.touch(token).catch(() => undefined)
    },
  }
}

async function readToken(
  store: TokenStore,
  { namespaceId }: Caller,
  id: string,
  openable?: Openable,
): Promise<Reading> {
  const reading = await store.get({ namespaceId, id }, openable)
  if (reading === null) throw notFound()
  return reading
}

/** By the first criterion that finds a token. */
async function findToken(
  store: TokenStore,
  { namespaceId }: Caller,
  partial: PartialToken,
  openable?: Openable,
): Promise<Reading> {
  for (const criterion of findCriteria(partial)) {
    const { tokens, now } = await store.findBy(namespaceId, criterion, partial, openable)
    const [token] = tokens
    if (tokens.length > 1) throw ambiguousMatch(tokens.map(({ id }) => id))
    if (token !== undefined) return { token, now }
  }
  throw notFound()
}

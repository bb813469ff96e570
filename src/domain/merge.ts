import type { SchedulePolicy } from './life.ts'
import { isLive, lifetimeAt, refreshDueAt } from './life.ts'
import type { Provider } from './provider.ts'
import type { Match, SaveRequest } from './save.ts'
import { after } from './time.ts'
import type { Token, TokenFields } from './token.ts'
import { SOUND } from './token.ts'

/** The fields that a save may bring too late. */
export type StaleField = 'access_token' | 'refresh_token'

/** What becomes of a token by a save, and what of the save was too late to take effect. */
export interface Merge {
  token: Token
  ignored: StaleField[]
}

interface MergeContext {
  now: Date
  provider: Provider | null
  policy: SchedulePolicy
}

/** A token that no save has filled yet. */
export function emptyToken(namespaceId: string, id: string, provider: string, now: Date): Token {
  return {
    namespaceId,
    id,
    provider,
    userName: null,
    clientId: null,
    clientSecret: null,
    refreshToken: null,
    grantToken: null,
    accessToken: null,
    tokenType: null,
    scope: null,
    redirectUrl: null,
    apiDomain: null,
    expiresAt: null,
    lifetimeSeconds: null,
    status: 'active',
    lastError: null,
    refreshDueAt: null,
    retryAt: null,
    leaseUntil: null,
    lostAt: null,
    fence: 0,
    renewals: [],
    version: 1,
    createdAt: now,
    updatedAt: now,
    refreshedAt: null,
    lastUsedAt: null,
  }
}

/** The token that a save makes where none matches. */
export function mergeNew(save: SaveRequest, empty: Token, context: MergeContext): Token {
  const token = { ...empty, ...present(save, empty), ...accessOf(save, empty, context) }
  return { ...token, refreshDueAt: refreshDueAt(token, context.provider, context.now, context.policy) }
}

/**
 * The matched token after a save: fields present overwrite, fields absent stay, and what the vault has replaced
 * in the meantime does not come back. The same `token` is returned where nothing changes.
 */
export function mergeSave(save: SaveRequest, match: Match, context: MergeContext): Merge {
  const { candidate, absorbed } = match
  const stored = candidate.token
  const base = absorbed === null ? stored : withAbsorbed(stored, absorbed.token)
  const ignored = staleFields(save, match, base, context.now)
  const fresh: SaveRequest = {
    ...save,
    ...(ignored.includes('refresh_token') && { refreshToken: null }),
    ...(ignored.includes('access_token') && { accessToken: null, expiresAt: null, expiresInSeconds: null }),
  }
  const merged = {
    ...base,
    ...present(fresh, base),
    ...accessOf(fresh, base, context),
    userName: stored.userName ?? save.userName,
  }
  if (absorbed === null && !changes(stored, merged)) return { token: stored, ignored }
  return { token: rescheduled(stored, base, merged, context), ignored }
}

/** A stale save does not roll back; one that brings a refresh token new to the vault is never stale. */
function staleFields(
  save: SaveRequest,
  { candidate, absorbed }: Match,
  base: Token,
  now: Date,
): StaleField[] {
  const holder = absorbed ?? candidate
  const ignored: StaleField[] = []
  if (holder.formerRefreshToken && base.refreshToken !== null && base.status !== 'reauth_required') {
    ignored.push('refresh_token')
  }
  const bringsNewGrant = save.refreshToken !== null && !holder.shares.refresh_token
  const bringsOtherAccess = save.accessToken !== null && !save.accessToken.equals(base.accessToken)
  if (bringsOtherAccess && !bringsNewGrant && isLive(base, now)) {
    const expiresAt = expiryOf(save, now)
    const expiresEarlier = expiresAt !== null && base.expiresAt !== null && expiresAt < base.expiresAt
    if (holder.replacedAccessToken || candidate.replacedAccessToken || expiresEarlier)
      ignored.push('access_token')
  }
  return ignored
}

function expiryOf(save: SaveRequest, now: Date): Date | null {
  if (save.expiresInSeconds !== null) return after(now, save.expiresInSeconds)
  return save.expiresAt
}

/** What a save brings that is not there yet, but for the access token and its expiry, which are one unit. */
function present(save: SaveRequest, stored: Token): Partial<TokenFields> {
  const given = MERGED_FIELDS.filter(
    (field) => field !== 'accessToken' && field !== 'expiresAt' && save[field] !== null,
  ).filter((field) => !sameValue(save[field], stored[field]))
  return Object.fromEntries(given.map((field) => [field, save[field]]))
}

/** A new access token without an expiry makes the expiry unknown: it does not inherit the old one. */
function accessOf(
  save: SaveRequest,
  stored: Token,
  { now, provider }: MergeContext,
): Pick<Token, 'accessToken' | 'expiresAt' | 'lifetimeSeconds'> {
  const { accessToken, expiresAt, lifetimeSeconds } = stored
  const given = expiryOf(save, now)
  const isNew = save.accessToken !== null && !save.accessToken.equals(accessToken)
  const isKnown = given === null || given.getTime() === expiresAt?.getTime()
  if (!isNew && isKnown) return { accessToken, expiresAt, lifetimeSeconds }
  return {
    accessToken: save.accessToken ?? accessToken,
    expiresAt: given,
    lifetimeSeconds: lifetimeAt(now, given, provider),
  }
}

/**
 * A token with the grant of the absorbed one, its state and a renewal under way included, its blanks filled with what
 * else that one knew.
 */
function withAbsorbed(token: Token, absorbed: Token): Token {
  const blanks = MERGED_FIELDS.filter((field) => token[field] === null)
  const filled = Object.fromEntries(blanks.map((field) => [field, absorbed[field]]))
  const { accessToken, expiresAt, lifetimeSeconds, refreshedAt } =
    absorbed.accessToken === null ? token : absorbed
  const { refreshToken, status, lastError, refreshDueAt, retryAt, leaseUntil, lostAt, renewals } = absorbed
  return {
    ...token,
    ...filled,
    ...{ accessToken, expiresAt, lifetimeSeconds, refreshedAt },
    ...{ refreshToken, status, lastError, refreshDueAt, retryAt, leaseUntil, lostAt, renewals },
    fence: token.fence + 1,
  }
}

export const MERGED_FIELDS: (keyof TokenFields)[] = [
  'userName',
  'clientId',
  'clientSecret',
  'refreshToken',
  'grantToken',
  'accessToken',
  'tokenType',
  'scope',
  'redirectUrl',
  'apiDomain',
  'expiresAt',
]

function changes(stored: Token, merged: Token): boolean {
  return MERGED_FIELDS.some((field) => !sameValue(stored[field], merged[field]))
}

function sameValue(one: Token[keyof TokenFields], other: Token[keyof TokenFields]): boolean {
  if (one === null || other === null || typeof one === 'string') return one === other
  if (one instanceof Date) return other instanceof Date && one.getTime() === other.getTime()
  return !(other instanceof Date) && typeof other !== 'string' && one.equals(other)
}

/** The save brings what the last failure asked for: there is no reason to wait any more. */
function isMended({ lastError, apiDomain }: Token, merged: Token, newClient: boolean): boolean {
  if (lastError?.code === 'client_refused') return newClient
  return lastError?.code === 'data_centre_unknown' && merged.apiDomain !== apiDomain
}

/**
 * A new refresh token ends whatever went wrong with the old one, and outruns a renewal that is under way. Any other save
 * leaves that renewal its lease, and the refresher is to look when it runs out; what was lost is replayed when it was to
 * be, while the provider's grace lasts.
 */
function rescheduled(stored: Token, base: Token, merged: Token, context: MergeContext): Token {
  const { now, provider, policy } = context
  const changed = { ...merged, version: stored.version + 1, updatedAt: now }
  const newGrant = !sameValue(base.refreshToken, merged.refreshToken)
  const newClient = !sameValue(base.clientSecret, merged.clientSecret) || base.clientId !== merged.clientId
  const newAccess =
    !sameValue(base.accessToken, merged.accessToken) || !sameValue(base.expiresAt, merged.expiresAt)
  const token: Token = newGrant
    ? {
        ...changed,
        ...SOUND,
        leaseUntil: null,
        fence: stored.fence + 1,
        renewals: [],
      }
    : changed
  if (!newGrant && isMended(base, merged, newClient)) return { ...token, retryAt: null, refreshDueAt: now }
  if (base === stored && !newGrant && !newClient && !newAccess) return token
  const dueAt = earlier(refreshDueAt(token, provider, now, policy), token.leaseUntil)
  return { ...token, refreshDueAt: token.lostAt === null ? dueAt : earlier(dueAt, base.refreshDueAt) }
}

function earlier(one: Date | null, other: Date | null): Date | null {
  return one === null || (other !== null && other < one) ? other : one
}

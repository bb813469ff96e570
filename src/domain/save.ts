import { findCriteria } from './criterion.ts'
import type { PartialToken } from './criterion.ts'
import { VaultError } from './errors.ts'
import type { Token } from './token.ts'
import { DEFAULT_PROVIDER, isOtherUser } from './token.ts'

/** What a caller asks to save. Absent fields are null and stay as they are. */
export interface SaveRequest extends PartialToken {
  tokenType: string | null
  scope: string | null
  redirectUrl: string | null
  apiDomain: string | null
  expiresAt: Date | null
  /** Instead of `expiresAt`: seconds from now. */
  expiresInSeconds: number | null
}

/** A stored token that shares an id, a user or a token with a save, and what it shares. */
export interface Candidate {
  token: Token
  shares: Record<Shared, boolean>
  /** The save's refresh token is one that this token had before. */
  formerRefreshToken: boolean
  /** The save's access token is one that a renewal has replaced. */
  replacedAccessToken: boolean
}

type Shared = 'id' | 'user_name' | 'grant_token' | 'refresh_token' | 'access_token'

/** The token that a save updates, and the one that it makes superfluous. */
export interface Match {
  candidate: Candidate
  absorbed: Candidate | null
}

/**
 * Which stored token a save is about; null where it is a new one.
 * @throws VaultError `ambiguous_match`, or `conflict` where the save contradicts what never changes
 */
export function matchSave(save: SaveRequest, candidates: Candidate[]): Match | null {
  const sharing = (shared: Shared) => candidates.find((candidate) => candidate.shares[shared])
  const matched =
    sharing('id') ??
    (save.clientId === null
      ? matchAsFind(save, candidates)
      : matchWithClient(save, save.clientId, candidates)) ??
    candidates.find(({ token }) => hasIdentity(token, identityOfNew(save))) ??
    sharing('refresh_token')
  if (matched === undefined) return null
  const others = candidates.filter((candidate) => candidate !== matched)
  const twin = others.find((other) => other.shares.refresh_token)
  const identity = identityAfter(matched.token, save, twin?.token)
  const isNamed = save.userName !== null || !contradicts(matched.token, save)
  const owner =
    others.find((other) => isNamed && hasIdentity(other.token, identity)) ??
    (twin && canAbsorb(twin.token, identity) ? undefined : twin)
  if (owner !== undefined || contradicts(matched.token, save)) throw conflict((owner ?? matched).token)
  return { candidate: matched, absorbed: twin ?? null }
}

/** By the first of these that is given and finds a token, all within the same client. */
function matchWithClient(
  save: SaveRequest,
  clientId: string,
  candidates: Candidate[],
): Candidate | undefined {
  const within = (shared: Shared, of: string | null) =>
    candidates.filter((candidate) => candidate.shares[shared] && candidate.token.clientId === of)
  const sameProvider = ({ token }: Candidate) => save.provider === null || token.provider === save.provider
  const byUser = only(within('user_name', clientId).filter(sameProvider))
  if (byUser !== undefined) return byUser
  const clientless = within('user_name', null).filter(sameProvider)
  if (clientless.length === 1) return clientless[0]
  for (const shared of ['grant_token', 'refresh_token', 'access_token'] as const) {
    const found = only(within(shared, clientId)) ?? only(within(shared, null))
    if (found !== undefined) return found
  }
  return undefined
}

/** Without a client a save matches as a find of the same fields would. */
function matchAsFind(save: SaveRequest, candidates: Candidate[]): Candidate | undefined {
  if (!namesAnything(save)) return undefined
  for (const criterion of findCriteria(save)) {
    const found = only(
      candidates.filter(
        ({ shares, token }) =>
          shares[criterion.by] && (save.provider === null || token.provider === save.provider),
      ),
    )
    if (found !== undefined) return found
  }
  return undefined
}

function namesAnything(save: SaveRequest): boolean {
  return save.id !== null || save.userName !== null || bringsToken(save)
}

/** A save that brings none of these has nothing to start a token with. */
export function bringsToken(save: SaveRequest): boolean {
  return save.accessToken !== null || save.refreshToken !== null || save.grantToken !== null
}

/** @throws VaultError `ambiguous_match` for several */
function only(found: Candidate[]): Candidate | undefined {
  if (found.length > 1) throw ambiguousMatch(found.map(({ token }) => token.id))
  return found[0]
}

/** Several tokens answer to what the caller named. */
export function ambiguousMatch(ids: string[]): VaultError {
  return new VaultError(
    'ambiguous_match',
    'Several tokens match. Name one by its id, or add client_id or provider.',
    { matches: ids },
  )
}

/** The identity that the caller named is another token's. */
export function conflict(owner: { id: string }): VaultError {
  return new VaultError(
    'conflict',
    'The save names an identity that belongs to another token, or would change one.',
    {
      tokenId: owner.id,
    },
  )
}

interface Identity {
  provider: string
  clientId: string | null
  userName: string | null
}

/** Whose the token will be that a save makes where it matches none. */
function identityOfNew({ provider, clientId, userName }: SaveRequest): Identity {
  return { provider: provider ?? DEFAULT_PROVIDER, clientId, userName }
}

/** Whose the matched token will be, once it has taken what the save and the absorbed token know. */
function identityAfter(token: Token, save: SaveRequest, twin: Token | undefined): Identity {
  return {
    provider: save.provider ?? token.provider,
    clientId: save.clientId ?? token.clientId ?? twin?.clientId ?? null,
    userName: save.userName ?? token.userName,
  }
}

function hasIdentity(token: Token, { provider, clientId, userName }: Identity): boolean {
  return (
    userName !== null &&
    token.userName !== null &&
    !isOtherUser(token.userName, userName) &&
    token.clientId === clientId &&
    token.provider === provider
  )
}

/** Once set, provider, client and user never change by a save. */
function contradicts(token: Token, save: SaveRequest): boolean {
  const differs = (stored: string | null, given: string | null) =>
    stored !== null && given !== null && stored !== given
  return (
    differs(token.provider, save.provider) ||
    differs(token.clientId, save.clientId) ||
    isOtherUser(token.userName, save.userName)
  )
}

/** A token without a user that holds the same refresh token is the same grant, met before its user was known. */
function canAbsorb(twin: Token, { provider, clientId }: Identity): boolean {
  return (
    twin.userName === null &&
    twin.provider === provider &&
    (twin.clientId === null || twin.clientId === clientId)
  )
}

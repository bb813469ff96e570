import type { Criterion, Narrowing } from './criterion.ts'
import type { Event } from './event.ts'
import type { IfVersion } from './if-version.ts'
import type { ClientDeaths } from './client.ts'
import type { Claim, Settlement, RenewalTerms } from './renewal.ts'
import type { Candidate, SaveRequest } from './save.ts'
import type { Token, TokenRef, TokenStatus } from './token.ts'

/** A token as it was read, and the storage's own clock at that moment. */
export interface Reading {
  token: Token
  now: Date
}

/**
 * Tokens read, and the storage's own clock at that moment: the only one by which expiries are judged. Of none it means
 * nothing.
 */
export interface Found {
  tokens: Token[]
  now: Date
}

/** Which secrets of a token can be revealed; of the others one sees that they are there. */
export type Openable = 'all' | 'access_token'

export interface TokenFilter {
  userName: string | null
  clientId: string | null
  provider: string | null
  status: TokenStatus | null
  /** Tokens whose access token expires before this moment. */
  expiresBefore: Date | null
}

export interface Page {
  filter: TokenFilter
  limit: number
  /** The id after which the page begins. */
  after: string | null
  /** False: which secrets the tokens have is known, and none of them opens. */
  secrets: boolean
}

/** The tokens of a page: as many as its limit, or as many as hold few enough bytes of secrets. */
export interface Listed extends Found {
  /** The id after which the next page begins; null behind the last one. */
  next: string | null
}

/** What a save does once its candidates are known. */
export interface SavePlan {
  token: Token
  /** The stored token that `token` replaces; null for a new one. */
  replaces: Token | null
  absorbed: Token | null
  events: Event[]
}

/** The terms of one provider, and how many of its tokens may be claimed now. */
export interface DueTerms extends RenewalTerms {
  places: number
}

export interface ClaimOptions {
  /** Ignores a retry that waits, and the pause of a client. */
  forced: boolean
  /** Without it a lease that has run out holds all the same, unless a replay is forgiven: its owner may be about to settle. */
  takeOver: boolean
}

export interface DueOptions extends Pick<ClaimOptions, 'takeOver'> {
  limit: number
  busy: TokenRef[]
}

/**
 * Keeps tokens, namespace by namespace; no call sees another namespace's. Every method rejects with the VaultError
 * `storage_unavailable` while the storage cannot be reached. Changes and their events are kept in one transaction.
 */
export interface TokenStore {
  /**
   * All tokens that answer to one criterion, narrowed, oldest id first; at most 100. Only of a single one the secrets can
   * be revealed, all of them unless fewer are asked for.
   */
  findBy(namespaceId: string, criterion: Criterion, narrowing: Narrowing, openable?: Openable): Promise<Found>
  get(ref: TokenRef, openable?: Openable): Promise<Reading | null>
  /** In the order of ids, so that a token which is there throughout is listed exactly once. */
  list(namespaceId: string, page: Page): Promise<Listed>
  /**
   * Saves of one identity run one after the other: `plan` sees every stored token that shares something with the
   * save, and nothing of it changes until the plan is carried out. An error of `plan` changes nothing. `plan` may
   * be called again after a race with a save that shares nothing visible. Resolves with the plan that was carried out.
   */
  save(
    namespaceId: string,
    save: SaveRequest,
    plan: (candidates: Candidate[], now: Date) => SavePlan,
  ): Promise<{ plan: SavePlan; now: Date }>
  /** Resolves with false where there is no such token. */
  delete(ref: TokenRef, event: Event, ifVersion: IfVersion): Promise<boolean>
  /** Deletes it only if nothing has happened to it since it was read, no claim either; resolves with whether it did. */
  deleteUntouched(token: Token, event: Event): Promise<boolean>
  /** Keeps what happened to a token without a change of it. */
  record(ref: TokenRef, event: Event): Promise<void>
  /** All that the filter passes, or none; resolves with their number. */
  deleteMany(namespaceId: string, filter: TokenFilter, event: Event): Promise<number>
  /** Notes that the token was given out; changes no version. */
  touch(ref: TokenRef): Promise<void>

  /**
   * Claims due tokens for one renewal each, by the storage's clock and in one committed statement. No token is claimed
   * that another claim holds, whose provider is not among the terms, or that is `busy`: an owner who has an answer in
   * hand does not claim the same token anew when its lease has run out.
   */
  claimDue(terms: DueTerms[], options: DueOptions): Promise<Claim[]>
  /** Claims one token, due or not; null where the terms forbid it, or where it has changed since `token` was read. */
  claim(token: Token, terms: RenewalTerms, options: ClaimOptions): Promise<Claim | null>
  /** Lets the lease of a claim begin anew, unless somebody has taken it over. */
  extend(claim: Claim): Promise<void>
  /** Notes that the provider calls a token dead: how many of its client have died lately. */
  countDeath(claim: Claim): Promise<ClientDeaths>
  /**
   * Keeps what came of a claim and ends its lease; resolves with the token as it then is, or with null where the
   * fence has moved on: the outcome is then recorded and dropped. Not so a refresh token that replaces the very one
   * that the token still has: whoever took over, this is the one that the provider takes from here on.
   */
  settle(claim: Claim, settlement: Settlement): Promise<Token | null>
}

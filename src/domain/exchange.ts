import { VaultError } from './errors.ts'
import type { Event } from './event.ts'
import type { Provider, RefreshOutcome, RenewedOutcome } from './provider.ts'
import { providerError } from './provider-error.ts'
import type { SaveRequest } from './save.ts'
import type { Secret } from './secret.ts'
import { after } from './time.ts'
import type { Token, TokenRef } from './token.ts'

/** An authorization code, and what it was given for. */
export interface CodeToExchange {
  provider: string
  clientId: string
  clientSecret: Secret | null
  grantToken: Secret
  /** RFC 7636. */
  codeVerifier: Secret | null
  redirectUrl: string | null
  userName: string | null
  apiDomain: string | null
}

/** By which an exchange is known: whoever asks for the same one waits for it. */
export interface CodeRef {
  namespaceId: string
  provider: string
  clientId: string
  grantToken: Secret
}

/** The right to trade one code. It is committed before the code is spent. */
export interface CodeClaim {
  code: CodeRef
  fence: number
  /** The storage's clock at the claim: the expiry counts from here. */
  claimedAt: Date
  /** An earlier attempt may have spent the code, and nobody has its answer. */
  uncertain: boolean
}

export interface CodeClaimOptions {
  leaseSeconds: number
  /** May it take over from an owner whose lease has run out? */
  takeOver: boolean
}

/** Keeps the codes that are traded, so that each makes one request, on whichever replica it is asked for. */
export interface CodeStore {
  /** Null while another claim of the same code holds, or may not be taken over yet; and where it has been traded. */
  claim(code: CodeRef, options: CodeClaimOptions): Promise<CodeClaim | null>
  /** How the claim in one's way stands: the token that the code was traded for, or null where it has ended without a word. */
  read(code: CodeRef): Promise<'under_way' | TokenRef | VaultError | null>
  /** Keeps a failure for those who wait for it. `uncertain`: the code may be spent all the same. */
  fail(claim: CodeClaim, failure: VaultError, uncertain: boolean, event: Event): Promise<void>
  /** The token is stored: it is kept for which one the code is spent, whoever has taken over the claim. */
  succeed(code: CodeRef, token: TokenRef): Promise<void>
  /** The code was never sent: nothing of it is kept. */
  end(claim: CodeClaim): Promise<void>
}

/** Has the code been traded for this token? A save may have brought a code that nobody has traded yet. */
export function isTraded({ refreshToken, accessToken }: Token): boolean {
  return refreshToken !== null || accessToken !== null
}

/** What a code was traded for, to be merged as any save. */
export function saveOfExchange(
  code: CodeToExchange,
  { claimedAt }: CodeClaim,
  outcome: RenewedOutcome,
): SaveRequest {
  const { expiresInSeconds } = outcome
  return {
    id: null,
    provider: code.provider,
    userName: code.userName,
    clientId: code.clientId,
    clientSecret: code.clientSecret,
    grantToken: code.grantToken,
    refreshToken: outcome.refreshToken,
    accessToken: outcome.accessToken,
    tokenType: outcome.tokenType,
    scope: outcome.scope,
    redirectUrl: code.redirectUrl,
    apiDomain: outcome.apiDomain ?? code.apiDomain,
    expiresAt: expiresInSeconds === null ? null : after(claimedAt, expiresInSeconds),
    expiresInSeconds: null,
  }
}

/** The code was traded for a token that is there no more. */
export function codeSpent(): VaultError {
  const detail = 'The token that the code was traded for has been deleted: let the user sign in again.'
  return new VaultError('grant_refused', detail)
}

export type ExchangeFailure = Exclude<RefreshOutcome, RenewedOutcome>

/** The failure of an exchange, as its callers are told. */
export function exchangeError(outcome: ExchangeFailure, provider: Provider, uncertain: boolean): VaultError {
  if (outcome.kind !== 'dead' && outcome.kind !== 'data_centre_unknown') {
    return providerError('The exchange failed', outcome, provider)
  }
  const said = `The provider refused the authorization code (${outcome.error})`
  if (uncertain) {
    const lost = 'An earlier attempt may have spent it, and its outcome was lost: let the user sign in again.'
    return new VaultError('grant_refused', `${said}. ${lost}`)
  }
  if (outcome.kind === 'dead') return new VaultError('grant_refused', `${said}: let the user sign in again.`)
  return new VaultError(
    'grant_refused',
    `${said}, and nothing says whose data centre gave it: send the api_domain, too.`,
  )
}

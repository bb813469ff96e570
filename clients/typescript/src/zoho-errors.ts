import { TokenVaultError } from './errors.ts'
import type { ZohoOAuthToken, ZohoSdk } from './zoho-sdk.ts'

/** What the developer can do about it, beside what the vault says. */
const REMEDIES: Record<string, string> = {
  reauth_required:
    'Log in again: initialize the SDK with a new grant token (or refresh token) for this user, without an id; ' +
    'the vault takes over from there.',
  not_refreshable:
    'Save the token with its client id, client secret and refresh token, or log in again with a new grant token.',
  ambiguous_match: 'Give the SDK the id of one of them, or the client id beside the user.',
  unauthorized: 'Check the API key that createZohoTokenStore was given.',
  unreachable: 'Check that the vault runs, and the url that createZohoTokenStore was given.',
}

/** The scope that an API key lacks for what was tried. */
export type NeededScope = 'tokens:use' | 'tokens:write' | 'tokens:delete'

function remedyFor(error: TokenVaultError, needed: NeededScope): string {
  if (error.code === 'insufficient_scope') return `The API key of this application needs the scope ${needed}.`
  if (error.code === 'ambiguous_match' && error.matches) {
    return `They are ${error.matches.join(', ')}. ${REMEDIES['ambiguous_match'] ?? ''}`
  }
  return REMEDIES[error.code] ?? ''
}

/** The SDK's own exception with exactly this message: its constructor and `toString` add to what they are given. */
export function sdkException<T extends ZohoOAuthToken>(
  sdk: ZohoSdk<T>,
  code: string,
  message: string,
  cause?: unknown,
): Error {
  const SDKException = sdk.SDKException as new (...facts: unknown[]) => Error
  const exception = new SDKException(code, message, null, cause ?? null)
  exception.message = message
  return exception
}

/** A failure of the vault as the SDK's own exception: with the vault's code, what happened and what to do. */
export function toSdkException<T extends ZohoOAuthToken>(
  sdk: ZohoSdk<T>,
  error: TokenVaultError,
  needed: NeededScope,
): Error {
  const message = [error.message, remedyFor(error, needed)].filter((part) => part !== '').join(' ')
  return sdkException(sdk, error.code, message, error)
}

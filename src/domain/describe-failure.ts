import type { Provider } from './provider.ts'
import { UNKNOWN_API_DOMAIN } from './provider.ts'
import { whatCame } from './provider-error.ts'
import type { Failure } from './renewal-outcome.ts'
import type { Token } from './token.ts'

/** What `last_error` says of a renewal that failed, beside its code: what a human has to do. */
export function describeFailure(outcome: Failure, token: Token, provider: Provider): string {
  const said = `the provider answered ${outcome.error}`
  switch (outcome.kind) {
    case 'dead':
      return `${deathOf(said, token, provider)}: ${SIGN_IN_AGAIN}`
    case 'data_centre_unknown':
      return `${placeOf(outcome.error)}: ${SAVE_API_DOMAIN}`
    case 'client_refused':
      return `${said}: check client_id and client_secret of client ${token.clientId ?? ''}`
    case 'misconfigured':
      return `${said}: look at the provider for what client ${token.clientId ?? ''} and its user may do`
    case 'paused':
      return outcome.error === 'mass_failure' ? massFailure(token) : clientPaused(token)
    case 'mass_failure':
      return massFailure(token)
    case 'throttled':
      return `${said}: the vault waits and tries again`
    case 'nonsense':
      return `${said}: the vault tries again`
    case 'unavailable':
      return `${whatCame(outcome)}: ${remedyOf(outcome.error)}`
  }
}

/** For what is wrong on our side, and does not pass. */
const REMEDIES: Record<string, string> = {
  address_not_allowed: 'mend the URL of the provider, or allow it a private_network',
  secret_unreadable: 'restore the master key that seals the token, or save its secrets anew',
}

const remedyOf = (error: string) => REMEDIES[error] ?? 'the vault tries again'

const SAVE_API_DOMAIN = "save the api_domain of the user's data centre"

function placeOf(error: string): string {
  return error === UNKNOWN_API_DOMAIN
    ? "no data centre has the token's api_domain"
    : `the provider answered ${error}, and the token has no api_domain`
}

const SIGN_IN_AGAIN = 'let the user sign in again and save the new refresh token'

function deathOf(said: string, { lostAt }: Token, { rotates }: Provider): string {
  if (lostAt === null || rotates !== 'always') return said
  return `the outcome of the renewal of ${lostAt.toISOString()} was lost, and then ${said}`
}

function clientPaused({ clientId }: Token): string {
  return `the provider has refused client ${clientId ?? ''} with this secret, which is not used for now: check client_id and client_secret, save the right ones or force a refresh`
}

function massFailure({ clientId }: Token): string {
  return `the provider refuses the refresh tokens of many users of client ${clientId ?? ''} at once, which is not believed: look at the provider's side; the vault tries again, and a forced refresh decides for one token`
}

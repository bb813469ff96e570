import { RETRY_AFTER_SECONDS, VaultError } from './errors.ts'
import type { Provider, ProviderFailure } from './provider.ts'
import { UNKNOWN_API_DOMAIN } from './provider.ts'
import { FAILURE_CODES } from './renewal-outcome.ts'
import { throttleSeconds } from './retry.ts'

/** A failure that says nothing of the token or code that was sent, as the caller who asked for the request is told. */
export function providerError(what: string, outcome: ProviderFailure, provider: Provider | null): VaultError {
  if (outcome.error === UNKNOWN_API_DOMAIN) {
    const remedy = "no data centre has this api_domain. Give that of the user's data centre."
    return new VaultError('client_refused', `${what}: ${remedy}`)
  }
  const code = FAILURE_CODES[outcome.kind]
  const detail = `${what}: the provider answered ${outcome.error}`
  switch (outcome.kind) {
    case 'client_refused':
    case 'misconfigured':
      return new VaultError(code, `${detail}. Check client_id, client_secret, redirect_url and api_domain.`)
    case 'throttled':
      return new VaultError(code, `${detail}.`, { retryAfterSeconds: throttleSeconds(outcome, provider) })
    case 'nonsense':
      return new VaultError(code, `${detail}.`)
    case 'unavailable':
      return new VaultError(code, `${what}: ${whatCame(outcome)}.`, {
        retryAfterSeconds: outcome.retryAfterSeconds ?? RETRY_AFTER_SECONDS,
      })
  }
}

/** What came of a request to a provider that is away, in words. */
export function whatCame({ error, sent, failed }: Extract<ProviderFailure, { kind: 'unavailable' }>): string {
  if (failed === true) return `the provider answered ${error}`
  return `${sent ? 'no answer' : 'nothing was sent'} (${error})`
}

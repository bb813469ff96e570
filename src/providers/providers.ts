import type { Providers, RefreshOutcome, RefreshRequest } from '../domain/provider.ts'
import { classifyAnswer } from './classify-answer.ts'
import type { SendForm } from './form-sender.ts'
import { createFormSender } from './form-sender.ts'
import type { ProviderSettings, Sites } from './provider-settings.ts'
import { routeOf } from './provider-settings.ts'
import type { Reply } from './read-answer.ts'

interface ProvidersOptions {
  send?: SendForm
  /** Reads a Retry-After that is a date. */
  now?: () => Date
}

/**
 * The providers that the operator allows, over their token endpoints.
 *
 * @example
 * const providers = createProviders(loadProviders(null))
 * providers.find('zoho')?.timeoutSeconds // 10
 */
export function createProviders(
  settings: readonly ProviderSettings[],
  { send = createFormSender(), now = () => new Date() }: ProvidersOptions = {},
): Providers {
  const byName = new Map(settings.map((provider) => [provider.name, provider]))
  return {
    find: (name) => byName.get(name) ?? null,
    all: () => [...byName.values()],
    apiDomains: (name) => apiDomainsOf(byName.get(name)?.sites),
    async refresh(request) {
      const provider = byName.get(request.provider)
      if (provider === undefined) return { kind: 'misconfigured', error: 'unknown_provider' }
      const route = routeOf(provider, request.apiDomain)
      if (route === null) return { kind: 'misconfigured', error: 'unknown_api_domain' }
      const reply = await send(refreshPost(request, provider, route.endpoints.tokenUrl))
      return inPlace(outcomeOf(reply, now()), provider.sites, route.assumed)
    },
  }
}

function apiDomainsOf(sites: Sites | undefined): string[] | null {
  if (sites?.kind !== 'many') return null
  return [...new Set(sites.dataCentres.map(({ apiDomain }) => apiDomain))]
}

function refreshPost(request: RefreshRequest, provider: ProviderSettings, url: string) {
  const { clientId, clientSecret, refreshToken, sendBeforeMs } = request
  return {
    url,
    form: { grant_type: 'refresh_token', refresh_token: refreshToken },
    client: { id: clientId, secret: clientSecret, auth: provider.clientAuth },
    timeoutMs: provider.timeoutSeconds * 1000,
    sendBeforeMs,
  }
}

function outcomeOf(reply: Reply, now: Date): RefreshOutcome {
  switch (reply.kind) {
    case 'answered':
      return classifyAnswer(reply, now)
    case 'unreadable':
      return { kind: 'nonsense', error: reply.error }
    case 'failed':
      return { kind: 'unavailable', error: reply.error, sent: reply.sent }
  }
}

/** What the outcome means for a provider with data centres, where a token lives in one of them alone. */
function inPlace(outcome: RefreshOutcome, sites: Sites, assumed: boolean): RefreshOutcome {
  if (sites.kind === 'one') return outcome
  if (outcome.kind === 'dead' && assumed && outcome.error === 'invalid_code') {
    return { ...outcome, kind: 'data_centre_unknown' }
  }
  if (outcome.kind !== 'renewed') return outcome
  // A domain that no data centre has would leave the token with nowhere to be renewed.
  const isKnown = sites.dataCentres.some(({ apiDomain }) => apiDomain === outcome.apiDomain)
  return isKnown ? outcome : { ...outcome, apiDomain: null }
}

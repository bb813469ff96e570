import type { EndpointObserver } from '../domain/observer.ts'
import type {
  ExchangeRequest,
  ProviderFailure,
  Providers,
  RefreshOutcome,
  RefreshRequest,
  RevokeRequest,
} from '../domain/provider.ts'
import { UNKNOWN_API_DOMAIN } from '../domain/provider.ts'
import { createBreakers } from './breakers.ts'
import { classifyAnswer } from './classify-answer.ts'
import { classifyRevocation } from './classify-revocation.ts'
import type { FormClient } from './form-encoding.ts'
import type { SendForm } from './form-sender.ts'
import { createFormSender } from './form-sender.ts'
import type { ProviderSettings, Sites } from './provider-settings.ts'
import { routeOf } from './provider-settings.ts'
import type { Reply } from './read-answer.ts'

interface ProvidersOptions {
  observer?: EndpointObserver
  send?: SendForm
  /** Reads a Retry-After that is a date. */
  now?: () => Date
  /** For the pauses of a provider that is down. */
  monotonicMs?: () => number
  random?: () => number
}

const UNOBSERVED: EndpointObserver = {
  breakerOpened: () => undefined,
  breakerClosed: () => undefined,
  addressRefused: () => undefined,
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
  {
    observer = UNOBSERVED,
    send = createFormSender({ observer }),
    now = () => new Date(),
    monotonicMs = () => performance.now(),
    random = Math.random,
  }: ProvidersOptions = {},
): Providers {
  const byName = new Map(settings.map((provider) => [provider.name, provider]))
  const guard = createBreakers({ monotonicMs, random, observer })
  return {
    find: (name) => byName.get(name) ?? null,
    all: () => [...byName.values()],
    apiDomains: (name) => apiDomainsOf(byName.get(name)?.sites),
    async refresh(request) {
      const provider = byName.get(request.provider)
      if (provider === undefined) return { kind: 'misconfigured', error: 'unknown_provider' }
      const route = routeOf(provider, request.apiDomain)
      if (route === null) return { kind: 'data_centre_unknown', error: UNKNOWN_API_DOMAIN }
      const url = route.endpoints.tokenUrl
      const outcome = await guard({ provider: provider.name, url }, request.refreshToken, async () =>
        outcomeOf(await send(refreshPost(request, provider, url)), now()),
      )
      return inPlace(outcome, provider.sites, route.assumed)
    },
    async exchange(request) {
      const provider = byName.get(request.provider)
      if (provider === undefined) return { kind: 'misconfigured', error: 'unknown_provider' }
      const route = routeOf(provider, request.apiDomain)
      if (route === null) return { kind: 'misconfigured', error: UNKNOWN_API_DOMAIN }
      const url = route.endpoints.tokenUrl
      const outcome = await guard({ provider: provider.name, url }, request.code, async () =>
        outcomeOf(await send(exchangePost(request, provider, url)), now()),
      )
      return inPlace(outcome, provider.sites, route.assumed)
    },
    async revoke(request) {
      const provider = byName.get(request.provider)
      if (provider === undefined) return { kind: 'unsupported' }
      const route = routeOf(provider, request.apiDomain)
      if (route === null) return { kind: 'misconfigured', error: UNKNOWN_API_DOMAIN }
      const { revokeUrl } = route.endpoints
      if (revokeUrl === null) return { kind: 'unsupported' }
      const reply = await send(revokePost(request, provider, revokeUrl))
      return reply.kind === 'answered' ? classifyRevocation(reply, now()) : failureOf(reply)
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
    privateNetwork: provider.privateNetwork,
    timeoutMs: provider.timeoutSeconds * 1000,
    sendBeforeMs,
  }
}

function exchangePost(request: ExchangeRequest, provider: ProviderSettings, url: string) {
  const { clientId, clientSecret, code, codeVerifier, redirectUrl, sendBeforeMs } = request
  return {
    url,
    form: {
      grant_type: 'authorization_code',
      code,
      ...(redirectUrl !== null && { redirect_uri: redirectUrl }),
      ...(codeVerifier !== null && { code_verifier: codeVerifier }),
    },
    client: { id: clientId, secret: clientSecret, auth: provider.clientAuth },
    privateNetwork: provider.privateNetwork,
    timeoutMs: provider.timeoutSeconds * 1000,
    sendBeforeMs,
  }
}

/** Nothing is lost when it times out: a caller need not wait for as long as a rotating renewal may take. */
const MOST_REVOCATION_SECONDS = 10

/** Zoho, which alone has data centres, takes the token and nothing else. */
function revokePost(request: RevokeRequest, provider: ProviderSettings, url: string) {
  const { clientId, clientSecret, token, kind, sendBeforeMs } = request
  const isOnlyToken = provider.sites.kind === 'many'
  const auth: FormClient['auth'] = clientId === null || isOnlyToken ? 'none' : provider.clientAuth
  return {
    url,
    form: { token, ...(!isOnlyToken && { token_type_hint: kind }) },
    client: { id: clientId ?? '', secret: clientSecret, auth },
    privateNetwork: provider.privateNetwork,
    timeoutMs: Math.min(provider.timeoutSeconds, MOST_REVOCATION_SECONDS) * 1000,
    sendBeforeMs,
  }
}

function outcomeOf(reply: Reply, now: Date): RefreshOutcome {
  return reply.kind === 'answered' ? classifyAnswer(reply, now) : failureOf(reply)
}

function failureOf(reply: Exclude<Reply, { kind: 'answered' }>): ProviderFailure {
  return reply.kind === 'unreadable'
    ? { kind: 'nonsense', error: reply.error }
    : { kind: 'unavailable', error: reply.error, sent: reply.sent }
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

import type { EndpointObserver } from '../domain/observer.ts'
import type {
  ExchangeRequest,
  ProviderFailure,
  ProviderRequest,
  Providers,
  RefreshOutcome,
  RefreshRequest,
  RevokeRequest,
} from '../domain/provider.ts'
import { UNKNOWN_API_DOMAIN } from '../domain/provider.ts'
import type { Spent } from './breakers.ts'
import { createBreakers } from './breakers.ts'
import { classifyAnswer } from './classify-answer.ts'
import { classifyRevocation } from './classify-revocation.ts'
import type { FormPost, SendForm } from './form-sender.ts'
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
  const breakers = createBreakers({ monotonicMs, random, observer })

  /** What the token endpoint makes of a form that spends this secret; null where no data centre has the API domain. */
  const ask = async (request: ProviderRequest, spent: Spent, form: FormPost['form']) => {
    const provider = byName.get(request.provider)
    if (provider === undefined) return { kind: 'misconfigured', error: 'unknown_provider' } as const
    const route = routeOf(provider, request.apiDomain)
    if (route === null) return null
    const { tokenUrl: url } = route.endpoints
    const outcome = await breakers.guard({ provider: provider.name, url }, spent, async () =>
      outcomeOf(await send(postOf(request, provider, url, form)), now()),
    )
    return inPlace(outcome, provider.sites, route.assumed)
  }

  return {
    find: (name) => byName.get(name) ?? null,
    all: () => [...byName.values()],
    apiDomains: (name) => apiDomainsOf(byName.get(name)?.sites),
    leftAlone: (name) => breakers.leftAlone(tokenUrlsOf(byName.get(name)?.sites)),
    refresh: async (request) =>
      (await ask(request, spentBy(request), refreshForm(request))) ?? {
        kind: 'data_centre_unknown',
        error: UNKNOWN_API_DOMAIN,
      },
    exchange: async (request) =>
      (await ask(request, { token: request.code, cannotWait: false }, exchangeForm(request))) ?? {
        kind: 'misconfigured',
        error: UNKNOWN_API_DOMAIN,
      },
    revocation(request) {
      const provider = byName.get(request.provider)
      if (provider === undefined) return null
      const route = routeOf(provider, request.apiDomain)
      if (route === null) return () => Promise.resolve({ kind: 'misconfigured', error: UNKNOWN_API_DOMAIN })
      const { revokeUrl } = route.endpoints
      if (revokeUrl === null) return null
      return async (sendBeforeMs) => {
        const reply = await send(revokePost({ ...request, sendBeforeMs }, provider, revokeUrl))
        return reply.kind === 'answered' ? classifyRevocation(reply, now()) : failureOf(reply)
      }
    },
  }
}

function apiDomainsOf(sites: Sites | undefined): string[] | null {
  if (sites?.kind !== 'many') return null
  return [...new Set(sites.dataCentres.map(({ apiDomain }) => apiDomain))]
}

function tokenUrlsOf(sites: Sites | undefined): string[] {
  if (sites === undefined) return []
  const places = sites.kind === 'one' ? [sites] : sites.dataCentres
  return [...new Set(places.map(({ endpoints }) => endpoints.tokenUrl))]
}

const spentBy = ({ refreshToken, cannotWait }: RefreshRequest): Spent => ({ token: refreshToken, cannotWait })

const refreshForm = ({ refreshToken }: RefreshRequest): FormPost['form'] => ({
  grant_type: 'refresh_token',
  refresh_token: refreshToken,
})

const exchangeForm = ({ code, codeVerifier, redirectUrl }: ExchangeRequest): FormPost['form'] => ({
  grant_type: 'authorization_code',
  code,
  ...(redirectUrl !== null && { redirect_uri: redirectUrl }),
  ...(codeVerifier !== null && { code_verifier: codeVerifier }),
})

function postOf(
  { clientId, clientSecret, sendBeforeMs }: ProviderRequest,
  { clientAuth, privateNetwork, timeoutSeconds }: ProviderSettings,
  url: string,
  form: FormPost['form'],
): FormPost {
  const client = { id: clientId ?? '', secret: clientSecret, auth: clientAuth }
  return { url, form, client, privateNetwork, timeoutMs: timeoutSeconds * 1000, sendBeforeMs }
}

/** Nothing is lost when it times out: a caller need not wait for as long as a rotating renewal may take. */
const MOST_REVOCATION_MS = 10_000

/** Zoho, which alone has data centres, takes the token and nothing else. */
function revokePost(
  request: RevokeRequest & ProviderRequest,
  provider: ProviderSettings,
  url: string,
): FormPost {
  const { clientId, token, kind } = request
  const isOnlyToken = provider.sites.kind === 'many'
  const form = { token, ...(!isOnlyToken && { token_type_hint: kind }) }
  const post = postOf(request, provider, url, form)
  return {
    ...post,
    client: clientId === null || isOnlyToken ? { ...post.client, auth: 'none' } : post.client,
    timeoutMs: Math.min(post.timeoutMs, MOST_REVOCATION_MS),
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

import type { Provider } from '../domain/provider.ts'
import type { DataCentreEntry, ProviderEntry } from './provider-entry.ts'

/** How client id and secret travel: in the form, or in an Authorization header. */
export type ClientAuth = 'body' | 'basic'

/** A provider with every default filled in. */
export interface ProviderSettings extends Provider {
  clientAuth: ClientAuth
  /** Do its endpoints lie in the operator's own network? */
  privateNetwork: boolean
  sites: Sites
}

/** Where a provider is reached: at one place, or at the data centre that the token's API domain names. */
export type Sites =
  | { kind: 'one'; endpoints: Endpoints }
  /** In order of precedence; `assumed` is the one for tokens without an API domain. */
  | { kind: 'many'; dataCentres: DataCentre[]; assumed: DataCentre }

interface Endpoints {
  tokenUrl: string
  /** Null where the provider has no endpoint of RFC 7009. */
  revokeUrl: string | null
}

export interface DataCentre {
  name: string
  apiDomain: string
  endpoints: Endpoints
}

/** The endpoints for a token, and whether its data centre was only assumed. */
interface Route {
  endpoints: Endpoints
  assumed: boolean
}

const TIMEOUT_SECONDS = { never: 10, always: 45 }

/** Fills in the defaults of an entry whose sites are known. */
export function toSettings(entry: ProviderEntry, sites: Sites): ProviderSettings {
  const rotates = entry.rotates ?? 'never'
  const timeoutSeconds = entry.timeout ?? TIMEOUT_SECONDS[rotates]
  return {
    name: entry.name,
    defaultLifetimeSeconds: entry.default_lifetime ?? 3600,
    rotates,
    reuseGraceSeconds: entry.reuse_grace ?? 0,
    limit: entry.limit ? toLimit(entry.limit, timeoutSeconds) : null,
    minIntervalSeconds: entry.min_interval ?? 60,
    timeoutSeconds,
    clientAuth: entry.client_auth ?? 'body',
    privateNetwork: entry.private_network ?? false,
    sites,
  }
}

/**
 * The window counts from claim to claim, and the provider's from request to request: one may be sent as late after its
 * claim as a request may take, and the next at once.
 */
function toLimit({ count, window }: NonNullable<ProviderEntry['limit']>, timeoutSeconds: number) {
  return { count, windowSeconds: window + timeoutSeconds }
}

/** A data centre with its endpoints, which lie at the same paths everywhere. */
export function toDataCentre(entry: DataCentreEntry): DataCentre {
  const oauth = `${entry.accounts_url.replace(/\/+$/, '')}/oauth/v2`
  return {
    name: entry.name,
    apiDomain: entry.api_domain,
    endpoints: { tokenUrl: `${oauth}/token`, revokeUrl: `${oauth}/token/revoke` },
  }
}

/** Null where the provider has data centres and none of them has this API domain. */
export function routeOf({ sites }: ProviderSettings, apiDomain: string | null): Route | null {
  if (sites.kind === 'one') return { endpoints: sites.endpoints, assumed: false }
  if (apiDomain === null) return { endpoints: sites.assumed.endpoints, assumed: true }
  const found = sites.dataCentres.find((dataCentre) => dataCentre.apiDomain === apiDomain)
  return found ? { endpoints: found.endpoints, assumed: false } : null
}

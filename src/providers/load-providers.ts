import { StartupError } from '../domain/errors.ts'
import { mayBeReached } from './address-policy.ts'
import { CATALOGUE } from './catalogue.ts'
import { fault, fits, schemaFaults } from './file-faults.ts'
import type { DataCentreEntry } from './provider-entry.ts'
import { ProviderEntry, ProvidersFile } from './provider-entry.ts'
import type { ProviderSettings, Sites } from './provider-settings.ts'
import { toDataCentre, toSettings } from './provider-settings.ts'

/** An entry of the file, with the pointer to it. */
interface Given {
  at: string
  entry: ProviderEntry
}

/**
 * The built-in providers and, over them, those of the operator's file: a new name adds a provider, the name of a
 * built-in one overrides the fields given. Data centres are added, one of the same name replaces, and where two have
 * the same API domain the file's own is used. A `token_url` given without a `revoke_url` takes the built-in one away:
 * a refresh token must not be revoked at a server that did not issue it.
 *
 * @param json What the file holds, parsed; null without a file.
 * @throws {StartupError} with one line per fault.
 *
 * @example
 * const providers = createProviders(loadProviders({ providers: [{ name: 'google', timeout: 20 }] }))
 */
export function loadProviders(json: unknown): ProviderSettings[] {
  const builtIn = new Map(CATALOGUE.map((entry) => [entry.name, entry]))
  const { given, faults } = json === null ? { given: [], faults: [] } : readFile(json)
  const merged = new Map(builtIn)
  for (const { at, entry } of given) {
    faults.push(...entryFaults(at, entry, builtIn.get(entry.name)), ...addressFaults(at, entry))
    merged.set(entry.name, merge(entry, builtIn.get(entry.name)))
  }
  if (faults.length > 0) throw new StartupError(...faults)
  return [...merged.values()].map((entry) => toSettings(entry, sitesOf(entry)))
}

function readFile(json: unknown): { given: Given[]; faults: string[] } {
  if (!fits(ProvidersFile, json)) throw new StartupError(...schemaFaults(ProvidersFile, json))
  const given: Given[] = []
  const faults: string[] = []
  const names = new Set<string>()
  for (const [index, entry] of json.providers.entries()) {
    const at = `/providers/${index}`
    if (!fits(ProviderEntry, entry)) {
      faults.push(...schemaFaults(ProviderEntry, entry, at))
    } else if (names.has(entry.name)) {
      faults.push(
        fault(`${at}/name`, 'names a provider that is in the file already; give each a name', 'acme'),
      )
    } else {
      names.add(entry.name)
      given.push({ at, entry })
    }
  }
  return { given, faults }
}

function merge(entry: ProviderEntry, builtIn: ProviderEntry | undefined): ProviderEntry {
  const merged = { ...builtIn, ...entry }
  if (entry.token_url !== undefined && entry.revoke_url === undefined) delete merged.revoke_url
  if (builtIn?.data_centres) merged.data_centres = added(entry.data_centres ?? [], builtIn.data_centres)
  return merged
}

/** The file's data centres come first: the first with an API domain is the one that is used. */
function added(given: DataCentreEntry[], builtIn: DataCentreEntry[]): DataCentreEntry[] {
  const names = new Set(given.map(({ name }) => name))
  return [...given, ...builtIn.filter(({ name }) => !names.has(name))]
}

/** What is wrong with an entry beyond its schema, beside the built-in one of its name. */
function entryFaults(at: string, entry: ProviderEntry, builtIn: ProviderEntry | undefined): string[] {
  if (builtIn?.data_centres)
    return [...sitedFaults(at, entry), ...dataCentreFaults(at, entry, builtIn.data_centres)]
  const faults = (['data_centres', 'default_data_centre'] as const)
    .filter((field) => entry[field] !== undefined)
    .map((field) =>
      fault(`${at}/${field}`, 'is only for zoho; give token_url', 'https://login.acme.example/token'),
    )
  if (builtIn === undefined && entry.token_url === undefined) {
    const wrong = 'is missing: a provider that is not built in needs an https URL'
    faults.push(fault(`${at}/token_url`, wrong, 'https://login.acme.example/token'))
  }
  return faults
}

function sitedFaults(at: string, entry: ProviderEntry): string[] {
  const example = [
    { name: 'proxy', api_domain: 'https://api.acme.example', accounts_url: 'https://accounts.acme.example' },
  ]
  return (['token_url', 'revoke_url'] as const)
    .filter((field) => entry[field] !== undefined)
    .map((field) => fault(`${at}/${field}`, 'follows from the data centre; give data_centres', example))
}

function dataCentreFaults(at: string, entry: ProviderEntry, builtIn: DataCentreEntry[]): string[] {
  const given = entry.data_centres ?? []
  const faults: string[] = []
  for (const [index, { name, api_domain }] of given.entries()) {
    const before = given.slice(0, index)
    const place = `${at}/data_centres/${index}`
    if (before.some((other) => other.name === name)) {
      faults.push(fault(`${place}/name`, 'is the name of two data centres; give each its own', 'eu-proxy'))
    }
    if (before.some((other) => other.api_domain === api_domain)) {
      const wrong = 'is the API domain of two data centres; give each its own'
      faults.push(fault(`${place}/api_domain`, wrong, 'https://api.acme.example'))
    }
  }
  const names = added(given, builtIn).map(({ name }) => name)
  if (entry.default_data_centre !== undefined && !names.includes(entry.default_data_centre)) {
    faults.push(fault(`${at}/default_data_centre`, `must be one of ${names.join(', ')}`, 'us'))
  }
  return faults
}

/** An address in place of a host is known now; what a host resolves to is checked with every connection. */
function addressFaults(at: string, entry: ProviderEntry): string[] {
  const endpoints: [field: string, url: string | undefined][] = [
    ['token_url', entry.token_url],
    ['revoke_url', entry.revoke_url],
  ]
  for (const [index, { accounts_url }] of (entry.data_centres ?? []).entries()) {
    endpoints.push([`data_centres/${index}/accounts_url`, accounts_url])
  }
  const wrong = 'is not a public address; give a host, or private_network for a private address'
  return endpoints
    .filter(([, url]) => url !== undefined && !mayBeReached(new URL(url), entry.private_network ?? false))
    .map(([field]) => fault(`${at}/${field}`, wrong, 'https://login.acme.example/token'))
}

function sitesOf(entry: ProviderEntry): Sites {
  const dataCentres = (entry.data_centres ?? []).map(toDataCentre)
  const assumed = dataCentres.find(({ name }) => name === entry.default_data_centre) ?? dataCentres[0]
  if (assumed !== undefined) return { kind: 'many', dataCentres, assumed }
  const { token_url, revoke_url } = entry
  if (token_url === undefined) throw new StartupError(`The provider ${entry.name} has no token_url.`)
  return { kind: 'one', endpoints: { tokenUrl: token_url, revokeUrl: revoke_url ?? null } }
}

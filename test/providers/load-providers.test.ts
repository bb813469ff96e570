import { describe, expect, test } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { routeOf } from '../../src/providers/provider-settings.ts'

const TOKEN_URL = 'https://login.acme.example/token'
const PROXY = { name: 'proxy', api_domain: 'http://127.0.0.1:9400', accounts_url: 'http://127.0.0.1:9400' }

function load(...providers: unknown[]) {
  return new Map(loadProviders({ providers }).map((settings) => [settings.name, settings]))
}

function one(name: string, ...providers: unknown[]) {
  const settings = load(...providers).get(name)
  if (settings === undefined) throw new Error(`There is no ${name}.`)
  return settings
}

function faultsOf(json: unknown): readonly string[] {
  try {
    loadProviders(json)
    return []
  } catch (error) {
    if (error instanceof StartupError) return error.faults
    throw error
  }
}

describe('a provider of the file', () => {
  test('has the defaults of what it leaves out', () => {
    expect(one('acme', { name: 'acme', token_url: TOKEN_URL })).toEqual({
      name: 'acme',
      defaultLifetimeSeconds: 3600,
      rotates: 'never',
      reuseGraceSeconds: 0,
      limit: null,
      minIntervalSeconds: 60,
      timeoutSeconds: 10,
      clientAuth: 'body',
      privateNetwork: false,
      sites: { kind: 'one', endpoints: { tokenUrl: TOKEN_URL, revokeUrl: null } },
    })
  })

  test('has each setting that the file gives it', () => {
    const entry = {
      name: 'acme',
      token_url: TOKEN_URL,
      revoke_url: 'https://login.acme.example/revoke',
      client_auth: 'basic',
      default_lifetime: 60,
      rotates: 'always',
      reuse_grace: 10,
      limit: { count: 10, window: 600 },
      min_interval: 5,
      timeout: 20,
      private_network: true,
    }
    expect(one('acme', entry)).toEqual({
      name: 'acme',
      defaultLifetimeSeconds: 60,
      rotates: 'always',
      reuseGraceSeconds: 10,
      limit: { count: 10, windowSeconds: 620 },
      minIntervalSeconds: 5,
      timeoutSeconds: 20,
      clientAuth: 'basic',
      privateNetwork: true,
      sites: {
        kind: 'one',
        endpoints: { tokenUrl: TOKEN_URL, revokeUrl: 'https://login.acme.example/revoke' },
      },
    })
  })

  test('that rotates may take 45 seconds', () => {
    expect(one('acme', { name: 'acme', token_url: TOKEN_URL, rotates: 'always' }).timeoutSeconds).toBe(45)
    expect(one('google', { name: 'google', rotates: 'always' }).timeoutSeconds).toBe(45)
  })

  test('overrides single fields of a built-in one and adds itself to the others', () => {
    const plain = new Map(loadProviders(null).map((settings) => [settings.name, settings]))
    const loaded = load({ name: 'google', timeout: 20 }, { name: 'acme', token_url: TOKEN_URL })
    expect(loaded.get('google')).toEqual({ ...plain.get('google'), timeoutSeconds: 20 })
    expect([...loaded.keys()]).toEqual([...plain.keys(), 'acme'])
  })

  test('takes the built-in revocation away with the token endpoint', () => {
    const { sites } = one('gitlab', { name: 'gitlab', token_url: 'https://git.acme.example/oauth/token' })
    expect(sites).toEqual({
      kind: 'one',
      endpoints: { tokenUrl: 'https://git.acme.example/oauth/token', revokeUrl: null },
    })
  })
})

describe('a data centre of the file', () => {
  const tokenUrl = (zoho: ReturnType<typeof one>, apiDomain: string | null) =>
    routeOf(zoho, apiDomain)?.endpoints.tokenUrl

  test('is added to the built-in ones', () => {
    const zoho = one('zoho', { name: 'zoho', default_data_centre: 'eu', data_centres: [PROXY] })
    expect(routeOf(zoho, 'http://127.0.0.1:9400')).toEqual({
      assumed: false,
      endpoints: {
        tokenUrl: 'http://127.0.0.1:9400/oauth/v2/token',
        revokeUrl: 'http://127.0.0.1:9400/oauth/v2/token/revoke',
      },
    })
    expect(tokenUrl(zoho, 'https://sandbox.zohoapis.in')).toBe('https://accounts.zoho.in/oauth/v2/token')
    expect(routeOf(zoho, null)).toMatchObject({
      assumed: true,
      endpoints: { tokenUrl: 'https://accounts.zoho.eu/oauth/v2/token' },
    })
  })

  test('replaces the built-in one of its name', () => {
    const zoho = one('zoho', { name: 'zoho', data_centres: [{ ...PROXY, name: 'us' }] })
    expect(tokenUrl(zoho, null)).toBe('http://127.0.0.1:9400/oauth/v2/token')
    expect(tokenUrl(zoho, 'https://www.zohoapis.com')).toBeUndefined()
  })

  test('wins the API domain that a built-in one has too', () => {
    const proxy = {
      ...PROXY,
      api_domain: 'https://www.zohoapis.com',
      accounts_url: 'https://egress.acme.example/zoho/',
    }
    const zoho = one('zoho', { name: 'zoho', data_centres: [proxy] })
    expect(tokenUrl(zoho, 'https://www.zohoapis.com')).toBe('https://egress.acme.example/zoho/oauth/v2/token')
  })
})

describe('a fault of the file', () => {
  const acme = (fields: object) => ({ providers: [{ name: 'acme', token_url: TOKEN_URL, ...fields }] })
  const zoho = (fields: object) => ({ providers: [{ name: 'zoho', ...fields }] })

  test.each([
    ['no object', [], 'the file must be an object'],
    ['no list', {}, '/providers is missing'],
    ['an unknown field of the file', { providers: [], provider: [] }, '/provider is unknown'],
    ['an entry that is none', { providers: [null] }, '/providers/0 must be an object'],
    ['no name', { providers: [{ token_url: TOKEN_URL }] }, '/providers/0/name is missing'],
    ['a name with a space', acme({ name: 'a b' }), '/providers/0/name must be 1 to 128 of'],
    [
      'a name twice',
      { providers: [{ name: 'zoho' }, { name: 'zoho' }] },
      '/providers/1/name names a provider that',
    ],
    ['no token_url', { providers: [{ name: 'acme' }] }, '/providers/0/token_url is missing'],
    [
      'an unknown field',
      acme({ tokenUrl: TOKEN_URL }),
      '/providers/0/tokenUrl is unknown: the fields here are name,',
    ],
    [
      'another client_auth',
      acme({ client_auth: 'header' }),
      '/providers/0/client_auth must be body or basic',
    ],
    ['another rotates', acme({ rotates: true }), '/providers/0/rotates must be never or always'],
    [
      'seconds as text',
      acme({ timeout: '45' }),
      '/providers/0/timeout must be a whole number of seconds from 1',
    ],
    ['no time at all', acme({ timeout: 0 }), '/providers/0/timeout must be a whole number of seconds from 1'],
    ['half a second', acme({ min_interval: 0.5 }), '/providers/0/min_interval must be a whole number'],
    ['half a limit', acme({ limit: { count: 1 } }), '/providers/0/limit/window is missing'],
    ['data centres elsewhere', acme({ data_centres: [PROXY] }), '/providers/0/data_centres is only for zoho'],
    [
      'a token_url of Zoho',
      zoho({ token_url: TOKEN_URL }),
      '/providers/0/token_url follows from the data centre',
    ],
    [
      'an unknown default',
      zoho({ default_data_centre: 'mars' }),
      '/providers/0/default_data_centre must be one of us,',
    ],
    [
      'half a data centre',
      zoho({ data_centres: [{ name: 'x' }] }),
      '/providers/0/data_centres/0/api_domain is missing',
    ],
    [
      'an API domain with a slash',
      zoho({ data_centres: [{ ...PROXY, api_domain: 'http://127.0.0.1:9400/' }] }),
      '/providers/0/data_centres/0/api_domain must be an https origin',
    ],
    [
      'an API domain twice',
      zoho({ data_centres: [PROXY, { ...PROXY, name: 'other' }] }),
      '/providers/0/data_centres/1/api_domain is the API domain of two',
    ],
  ])('is told in one line: %s', (_, json, line) => {
    const faults = faultsOf(json).filter((fault) => fault.includes(line))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^TOKEN_VAULT_PROVIDERS_FILE: [^\n]+, for example [^\n]+$/)
  })

  test('is told with all the others', () => {
    const fields = {
      rotates: 1,
      timeout: 1.5,
      reuse_grace: -1,
      min_interval: '',
      client_auth: 2,
      source: 3,
      limit: 4,
    }
    const entry = { ...fields, default_lifetime: null, revoke_url: 5, a: 1, 'b\nc': 2 }
    expect(faultsOf({ providers: [entry, { name: 'acme' }, 7] })).toHaveLength(14)
  })

  test.each([
    'http://login.acme.example/token',
    'http://127.0.0.1.acme.example/token',
    'http://10.0.0.1/token',
    'https://user:pass@login.acme.example/token',
    'https://user@login.acme.example/token',
    'https://@login.acme.example/token',
    'https://login.acme.example/token#fragment',
    'https://login.acme.example/token#',
    'https://login.acme.example\\@evil.example/',
    'https:login.acme.example',
    'https:///login.acme.example',
    'https://login.acme.example/ token',
    ' https://login.acme.example/token',
    'https://login.acme.exa\tmple/token',
    'https://login.acme.example:99999/',
    'ftp://login.acme.example/token',
    'file:///etc/passwd',
    '//login.acme.example/token',
    'login.acme.example',
    '',
  ])('is a URL such as %j, which no line repeats', (url) => {
    const faults = faultsOf({ providers: [{ name: 'acme', token_url: url }] })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain('/providers/0/token_url must be an https URL')
    expect(faults[0]).not.toMatch(/pass|evil|etc/)
  })

  test.each([
    'https://login.acme.example:8443/oauth/token?tenant=1',
    'http://localhost:9400/token',
    'http://127.0.0.1:9400/token',
    'http://127.9.9.9/token',
    'http://[::1]:9400/token',
  ])('is no URL such as %s', (url) => {
    expect(faultsOf({ providers: [{ name: 'acme', token_url: url }] })).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { CATALOGUE } from '../../src/providers/catalogue.ts'
import { schemaFaults } from '../../src/providers/file-faults.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { ProviderEntry } from '../../src/providers/provider-entry.ts'
import { routeOf } from '../../src/providers/provider-settings.ts'

const providers = new Map(loadProviders(null).map((settings) => [settings.name, settings]))

test('there are at least 12 providers besides Zoho, those that developers ask for most among them', () => {
  expect(providers.size).toBeGreaterThan(12)
  const wanted = ['zoho', 'google', 'microsoft', 'github', 'hubspot', 'salesforce', 'slack', 'atlassian']
  expect([...providers.keys()]).toEqual(expect.arrayContaining([...wanted, 'xero', 'quickbooks']))
})

test.each(CATALOGUE)('$name is a valid entry with all its facts and their source', (entry) => {
  expect(schemaFaults(ProviderEntry, entry)).toEqual([])
  expect(entry).toMatchObject({
    client_auth: expect.any(String) as string,
    default_lifetime: expect.any(Number) as number,
    source: expect.stringMatching(/^https:/) as string,
  })
  // Grace is a matter of those that replace a refresh token.
  expect(entry.reuse_grace).toEqual(entry.rotates === 'always' ? expect.any(Number) : undefined)
})

test('at least 12 can revoke a refresh token, all with one endpoint but Zoho', () => {
  const revoking = [...providers.values()].filter(
    ({ sites }) => sites.kind === 'many' || sites.endpoints.revokeUrl !== null,
  )
  expect(revoking.length).toBeGreaterThanOrEqual(12)
  expect(revoking.filter(({ sites }) => sites.kind === 'many').map(({ name }) => name)).toEqual(['zoho'])
})

test('none of them needs what only an operator may allow', () => {
  const entries = CATALOGUE.map((entry) => (entry.data_centres ? { name: entry.name } : entry))
  expect(() => loadProviders({ providers: entries })).not.toThrow()
  expect([...providers.values()].filter(({ privateNetwork }) => privateNetwork)).toEqual([])
})

test.each([...providers.values()])(
  '$name has time for an answer, most of all where it rotates',
  (settings) => {
    expect(settings.timeoutSeconds).toBe(settings.rotates === 'always' ? 45 : 10)
  },
)

describe('Zoho', () => {
  const zoho = providers.get('zoho')
  if (zoho === undefined) throw new Error('There is no zoho.')

  test('allows 10 renewals in 10 minutes, and as long as a request may be late, and does not rotate', () => {
    expect(zoho).toMatchObject({
      limit: { count: 10, windowSeconds: 610 },
      rotates: 'never',
      clientAuth: 'body',
    })
  })

  test.each([
    ['accounts.zoho.com', 'zohoapis.com'],
    ['accounts.zoho.eu', 'zohoapis.eu'],
    ['accounts.zoho.in', 'zohoapis.in'],
    ['accounts.zoho.com.cn', 'zohoapis.com.cn'],
    ['accounts.zoho.com.au', 'zohoapis.com.au'],
    ['accounts.zoho.jp', 'zohoapis.jp'],
    ['accounts.zohocloud.ca', 'zohoapis.ca'],
    ['accounts.zoho.sa', 'zohoapis.sa'],
    ['accounts.zoho.uk', 'zohoapis.uk'],
    ['accounts.zoho.ae', 'zohoapis.ae'],
  ])('renews at %s what lives at %s, sandbox and developer hosts included', (accounts, domain) => {
    for (const host of ['www', 'sandbox', 'developer']) {
      expect(routeOf(zoho, `https://${host}.${domain}`)?.endpoints).toEqual({
        tokenUrl: `https://${accounts}/oauth/v2/token`,
        revokeUrl: `https://${accounts}/oauth/v2/token/revoke`,
      })
    }
  })

  test('is in the United States where the token does not say, and nowhere where nobody knows', () => {
    expect(routeOf(zoho, null)).toMatchObject({
      assumed: true,
      endpoints: { tokenUrl: 'https://accounts.zoho.com/oauth/v2/token' },
    })
    expect(routeOf(zoho, 'https://www.zohoapis.com/')).toBeNull()
  })
})

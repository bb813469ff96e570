import { METHODS } from 'node:http'
import { expect, test } from 'vitest'
import { ROUTE_SCOPES } from '../../src/http/route-rules.ts'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import { startVault } from '../support/vault.ts'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ acme: { rotates: 'always' } })
const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  world.vault.call(method, path, body, headers)

const SOON = { timeout: 20_000, interval: 100 }

/** What is counted by now: the text that is given may be a second old. */
async function currentText(): Promise<string> {
  const { status, headers, text: given } = await call('GET', '/metrics')
  expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  let text = given
  await expect.poll(async () => (text = (await call('GET', '/metrics')).text), SOON).not.toBe(given)
  return text
}

/** The value of a series that has exactly these labels; 0 where there is none. */
async function valueOf(name: string, labels: Record<string, string>): Promise<number> {
  const text = await currentText()
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const line = text.split('\n').find((each) => {
    const [, series, given = ''] = /^(\w+)(?:\{(.*)\})? /.exec(each) ?? []
    return series === name && [...given.split(',')].sort().join() === [...wanted].sort().join()
  })
  return Number(line?.split(' ').at(-1) ?? 0)
}

test('answers are counted by route and code, whoever asked for what', async () => {
  const counted = (route: string, code: string, method = 'GET') =>
    valueOf('token_vault_requests_total', { method, route, code })
  const before = await counted('/v1/tokens/:id', 'not_found')
  await call('GET', '/v1/tokens/nobody')
  await call('GET', '/v1/tokens/nobody-else')
  await call('GET', '/v1/tokens', undefined, { authorization: 'Bearer nonsense' })
  await call('GET', '/nowhere/at-all')
  await call('PATCH', '/v1/tokens/nobody')
  expect(await counted('/v1/tokens/:id', 'not_found')).toBe(before + 2)
  expect(await counted('/v1/tokens', 'unauthorized')).toBe(1)
  expect(await counted('none', 'not_found', 'other')).toBe(1)
  expect(await counted('/v1/tokens/:id', 'method_not_allowed', 'other')).toBe(1)
  expect(await valueOf('token_vault_request_seconds_count', { method: 'GET', route: '/v1/tokens/:id' })).toBe(
    before + 2,
  )
})

test('who asks for them within a second is given the same text', async () => {
  const texts = new Set<string>()
  for (let asked = 0; asked < 100; asked += 1) texts.add((await call('GET', '/metrics')).text)
  expect(texts.size).toBeLessThan(50)
})

test('there are never more series than routes, codes and providers, whatever strangers send', async () => {
  const series = async () =>
    (await currentText()).split('\n').filter((line) => line.startsWith('token_vault_request'))
  const send = async (method: string, path: string) =>
    sendRaw(world.vault.url, rawRequest([`${method} ${path} HTTP/1.1`]), true)
  const paths = Object.keys(ROUTE_SCOPES).map((route) => route.split(' ')[1]?.replace(':id', 'x') ?? '')
  const before = await series()
  for (const method of METHODS.filter((each) => each !== 'CONNECT')) {
    await Promise.all([...new Set(paths), '/docs/', '/nowhere'].map((path) => send(method, path)))
    await send(method, '/v1/tokens?%ff')
    await send(method, '/%ff')
  }
  const after = await series()
  const labels = (name: string) =>
    new Set(after.flatMap((line) => new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1] ?? []))
  expect([...labels('method')].sort()).toEqual(['DELETE', 'GET', 'HEAD', 'POST', 'other'])
  expect(after.length - before.length).toBeLessThan(800)
  expect(after.filter((line) => line.includes('_seconds_') && line.includes('"other"'))).toEqual([])
})

test('renewals are counted by provider and outcome', async () => {
  const counted = (outcome: string) => valueOf('token_vault_renewals_total', { provider: 'acme', outcome })
  const [ok, refused] = [await counted('ok'), await counted('reauth_required')]
  const { id } = await world.save(0, { provider: 'acme' })
  await world.accessToken(id)
  const dead = await world.save(0, { provider: 'acme', refresh_token: 'never given' })
  await call('POST', `/v1/tokens/${dead.id}/refresh`)
  expect([await counted('ok'), await counted('reauth_required')]).toEqual([ok + 1, refused + 1])
})

test('a port of their own serves them and nothing else, and the one of the callers does not', async () => {
  const TOKEN_VAULT_MASTER_KEYS = world.vault.masterKeys
  const vault = await startVault({
    databaseUrl: world.database.url,
    env: { TOKEN_VAULT_MASTER_KEYS, TOKEN_VAULT_METRICS_PORT: '0', TOKEN_VAULT_RATE_LIMIT: '1' },
  })
  const url = /"url":"([^"]+)","msg":"serving metrics"/.exec(vault.log())?.[1] ?? ''
  const all = await Promise.all(Array.from({ length: 9 }, () => vault.call('GET', '/v1/tokens')))
  const refused = all.filter(({ status }) => status === 429)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  expect(refused.length).toBeGreaterThan(0)
  expect(metrics).toContain(`token_vault_brake_refusals_total{brake="request_rate"} ${refused.length}\n`)
  expect((await fetch(`${url}/v1/tokens`)).status).toBe(404)
  expect((await vault.call('GET', '/metrics')).status).toBe(404)
  for (const request of [
    rawRequest(['GET /%ff HTTP/1.1']),
    rawRequest(['GET /metrics HTTP/1.1', 'Expect: x']),
    'x\r\n\r\n',
  ]) {
    const { status, body, head } = parseRaw(await sendRaw(url, request))
    expect([status, body['code']]).toEqual([400, 'invalid_request'])
    expect(head).toMatch(/^x-request-id: /im)
    expect(head).toMatch(/^cache-control: no-store/im)
  }
  await vault.close()
  await expect(fetch(`${url}/metrics`)).rejects.toThrow()
})

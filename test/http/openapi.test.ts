import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createTestApp } from '../support/app.ts'
import type { Operation } from '../support/openapi-requests.ts'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import { useVault } from '../support/vault.ts'

const { vault } = useVault()

test('the printed OpenAPI document is the one that the service answers with', async () => {
  const { body } = await vault.call('GET', '/openapi.json')
  await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot('../../openapi.json')
})

test('the document is made once, for whoever asks and wherever', async () => {
  const app = await createTestApp({})
  onTestFinished(() => app.close())
  const swagger = vi.spyOn(app, 'swagger')
  const paths = ['/openapi.json', '/docs/json', '/openapi.json', '/docs/json']
  const answers = await Promise.all(paths.map((url) => app.inject({ url })))
  expect(swagger).toHaveBeenCalledTimes(1)
  for (const { headers, body } of answers) {
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(body).toBe(answers[0]?.body)
  }
  const head = await app.inject({ method: 'HEAD', url: '/openapi.json' })
  expect(head.headers['content-length']).toBe(answers[0]?.headers['content-length'])
})

test('each cursor and each If-Match that the document allows is taken', async () => {
  const { body } = await vault.call('GET', '/openapi.json')
  const { paths } = body as unknown as { paths: Record<string, Record<string, Operation>> }
  const asked = new Set<string>()
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { parameters = [] }] of Object.entries(methods))
      for (const { name, schema } of parameters.filter((each) =>
        ['cursor', 'if-match'].includes(each.name),
      )) {
        for (const value of fc.sample(fc.stringMatching(new RegExp(schema.pattern ?? '')), 50)) {
          const query = name === 'cursor' ? `?cursor=${encodeURIComponent(value)}` : ''
          const headers = name === 'if-match' ? { 'if-match': value } : {}
          const sent = method === 'post' && !path.includes('{id}') ? { access_token: 'a' } : undefined
          const to = `${path.replace('{id}', 'nobody')}${query}`
          const { status } = await vault.call(method.toUpperCase(), to, sent, headers)
          expect([name, value, status]).toEqual([name, value, expect.toSatisfy((given) => given !== 400)])
        }
        asked.add(`${method} ${path} ${name}`)
      }
  expect(asked.size).toBe(7)
})

test('the page to read and try the API brings everything that it needs', async () => {
  const page = await vault.call('GET', '/docs/')
  expect(page.status).toBe(200)
  expect(page.text).not.toMatch(/(src|href)="https?:/)
  const policy = page.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'self'; ")
  expect(policy).not.toContain('upgrade-insecure-requests')
})

test.each(['/docs', '/docs/', '/docs/json', '/docs/static/index.css'])(
  'another method at %s is told those that there are',
  async (path) => {
    for (const method of ['POST', 'OPTIONS', 'DELETE']) {
      const { status, headers, body } = await vault.call(method, path)
      expect([method, status, body.code]).toEqual([method, 405, 'method_not_allowed'])
      expect(headers.get('allow')?.split(', ').toSorted()).toEqual(['GET', 'HEAD'])
    }
  },
)

describe('a file of that page', () => {
  test.each([
    '/docs/static/',
    '/docs/static/./',
    '/docs/static/../index.css',
    '/docs/static/%2e%2e/%2e%2e/package.json',
    '/docs/static/..%5c..%5cx',
    '/docs/static/a%00b',
    '/docs/static/index.css/',
    '/docs/static/nothing.css',
    `/docs/static/${'a'.repeat(5000)}`,
  ])('that there is not is not found: %s', async (path) => {
    const answer = parseRaw(await sendRaw(vault.url, rawRequest([`GET ${path} HTTP/1.1`])))
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(vault.log()).not.toContain('request failed')
  })

  test.each([
    'If-Match: "x"',
    'If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT',
    'Range: bytes=99999999-',
  ])('is sent whole, whatever it is asked for on condition of: %s', async (header) => {
    const request = rawRequest(['GET /docs/static/index.css HTTP/1.1', header])
    expect(parseRaw(await sendRaw(vault.url, request)).status).toBe(200)
    expect(vault.log()).not.toContain('request failed')
  })
})

/** What every operation can be sent, and is refused for. */
const REFUSED: [what: string, headers: Record<string, string>, body: string][] = [
  ['text', { 'content-type': 'text/plain' }, 'hello'],
  ['more than 64 KiB', { 'content-type': 'application/json' }, ' '.repeat(70_000)],
  ['a field', { 'content-type': 'application/json' }, '{"surprise":1}'],
  ['an expectation that nobody can meet', { expect: 'x' }, ''],
]

test.each(REFUSED)('the document has each answer to %s', async (_what, headers, sent) => {
  const { body } = await vault.call('GET', '/openapi.json')
  const { paths } = body as unknown as { paths: Record<string, Record<string, Operation>> }
  const lines = Object.entries({ authorization: `Bearer ${vault.key}`, ...headers }).map((pair) =>
    pair.join(': '),
  )
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { responses }] of Object.entries(methods)) {
      const start = `${method.toUpperCase()} ${path.replace('{id}', 'nobody')} HTTP/1.1`
      const request = rawRequest([start, ...lines, `Content-Length: ${sent.length}`], sent)
      const { status } = parseRaw(await sendRaw(vault.url, request))
      expect([start, Object.keys(responses)]).toEqual([start, expect.arrayContaining([String(status)])])
      expect([start, status]).toEqual([start, expect.toSatisfy((given: number) => given >= 400)])
    }
})

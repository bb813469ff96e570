import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMetricsApp } from '../../src/http/metrics-app.ts'
import { notFound } from '../../src/domain/errors.ts'
import { createTestApp } from '../support/app.ts'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'

let app: FastifyInstance
let url: string

beforeAll(async () => {
  const unknown = () => Promise.reject(notFound())
  app = await createTestApp({ get: unknown, refresh: unknown })
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})

afterAll(() => app.close())

const KEY = 'Authorization: Bearer tokens:list+tokens:use+tokens:write'

test.each([
  ['POST /v1/tokens', 400, 'invalid_request'],
  ['POST /v1/tokens/find', 400, 'invalid_request'],
  ['POST /v1/tokens/a/refresh', 404, 'not_found'],
  ['GET /v1/tokens/a', 404, 'not_found'],
  ['GET /v1/tokens/a/access-token', 404, 'not_found'],
])(
  '%s without a body is answered at once, also where it names the type of one',
  async (line, status, code) => {
    const types = ['application/json', 'application/x-www-form-urlencoded', 'text/plain']
    const typed = types.map((type) => [`Content-Type: ${type}`])
    for (const announced of [[], ...typed, ...typed.map((lines) => [...lines, 'Content-Length: 0'])]) {
      const answer = await sendRaw(url, rawRequest([`${line} HTTP/1.1`, KEY, ...announced]))
      expect(parseRaw(answer)).toMatchObject({ status, body: { code } })
    }
  },
)

test('requests without a body that come at once are all answered', async () => {
  const ids = Array.from({ length: 20 }, (_, index) => `token-${index}`)
  const requests = ids.map((id, index) => {
    const last = index === ids.length - 1 ? 'close' : 'keep-alive'
    return [`GET /v1/tokens/${id} HTTP/1.1`, 'Host: vault', `Connection: ${last}`, KEY, '', ''].join('\r\n')
  })
  const answer = await sendRaw(url, requests.join(''))
  expect(answer.match(/HTTP\/1\.1 404 /g)).toHaveLength(ids.length)
})

test('HTTP/1.0 needs no host', async () => {
  expect(parseRaw(await sendRaw(url, 'GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200)
})

test('the metrics’ own port answers a request without a body, and its stop waits for none', async () => {
  const metrics = await createMetricsApp(() => Promise.resolve(''), pino({ level: 'silent' }))
  const metricsUrl = await metrics.listen({ host: '127.0.0.1', port: 0 })
  for (const [line, status] of Object.entries({ 'POST /metrics': 405, 'DELETE /nowhere': 404 })) {
    for (const type of ['application/json', 'text/plain']) {
      const request = rawRequest([`${line} HTTP/1.1`, `Content-Type: ${type}`])
      expect(parseRaw(await sendRaw(metricsUrl, request)).status).toBe(status)
    }
  }
  await metrics.close()
})

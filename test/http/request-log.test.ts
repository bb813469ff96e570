import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { VaultError } from '../../src/domain/errors.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTestApp } from '../support/app.ts'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'

type Options = Parameters<typeof createTestApp>

async function openApp(vault: Options[0], more: Options[1] = {}) {
  const lines: string[] = []
  const logger = createLogger('debug', { write: (line) => lines.push(line) })
  const app = await createTestApp(vault, { logger, ...more })
  onTestFinished(() => app.close())
  const answered = () =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'answered')
  return { app, answered }
}

test('the log has a line at info for each request that is refused, and at debug for each that goes well', async () => {
  const list = () => Promise.resolve({ tokens: [], now: new Date(), next: null })
  const { app, answered } = await openApp({ list })
  const ask = (url: string) => app.inject({ url, headers: { authorization: 'Bearer tokens:list' } })
  const answers = [await ask('/v1/tokens'), await ask('/v1/keys'), await ask('/healthz')]
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 403, 200])
  await expect.poll(() => answered().length).toBe(3)
  expect(answered()).toMatchObject([
    { level: 'debug', method: 'GET', route: '/v1/tokens', status: 200, key_id: 'key' },
    { level: 'info', method: 'GET', route: '/v1/keys', status: 403, key_id: 'key' },
    { level: 'debug', method: 'GET', route: '/healthz', status: 200, key_id: null },
  ])
  expect(answered().map(({ request_id: id }) => id)).toEqual(
    answers.map(({ headers }) => headers['x-request-id']),
  )
})

test('a path that cannot be decoded, and what is not HTTP, are told like any other refusal', async () => {
  const told: object[] = []
  const observer = { answered: (answer: object) => told.push(answer), braked: () => undefined }
  const { app, answered } = await openApp({}, { observer })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const sent = [
    rawRequest(['GET /v1/tokens/%zz HTTP/1.1']),
    'nonsense\r\n\r\nnonsense\r\n\r\n',
    rawRequest(['GET / HTTP/1.1', `X-Long: ${'x'.repeat(100_000)}`]),
  ]
  const answers = []
  for (const request of sent) answers.push(parseRaw(await sendRaw(url, request)))
  await expect.poll(() => answered().length).toBe(3)
  const common = { level: 'info', route: null, key_id: null }
  expect(answered()).toMatchObject([
    { ...common, method: 'GET', status: 400 },
    { ...common, method: null, status: 400 },
    { ...common, method: null, status: 431 },
  ])
  expect(answered().map(({ request_id: id }) => id)).toEqual(answers.map(({ body }) => body['request_id']))
  expect(told).toMatchObject(sent.map(() => ({ method: null, route: null, code: 'invalid_request' })))
})

test('who leaves before the answer is told of once, by a status of its own', async () => {
  const told: object[] = []
  const observer = { answered: (answer: object) => told.push(answer), braked: () => undefined }
  const asked = Promise.withResolvers<undefined>()
  const late = Promise.withResolvers<never>()
  const get = () => {
    asked.resolve(undefined)
    return late.promise
  }
  const { app, answered } = await openApp({ get }, { observer })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const key = 'Authorization: Bearer tokens:list'
  const leaving = connect(port, '127.0.0.1')
  leaving.write(rawRequest(['GET /v1/tokens/a HTTP/1.1', key]))
  await asked.promise
  leaving.destroy()
  await expect.poll(() => answered().length).toBe(1)
  late.reject(new VaultError('not_found', 'There is no such token.'))
  // In the middle of a body that breaks off: answered, and told of, as what is not HTTP.
  const body = ['POST /v1/tokens/find HTTP/1.1', key.replace('list', 'use'), 'Content-Type: application/json']
  await sendRaw(`http://127.0.0.1:${port}`, rawRequest([...body, 'Transfer-Encoding: chunked'], 'x\r\n'))
  await sendRaw(`http://127.0.0.1:${port}`, rawRequest(['GET /healthz HTTP/1.1']))
  await expect.poll(() => answered().length).toBe(3)
  expect(answered()).toMatchObject([
    { level: 'info', method: 'GET', route: '/v1/tokens/:id', status: 499, key_id: 'key' },
    { level: 'info', method: null, route: null, status: 400, key_id: null },
    { level: 'debug', method: 'GET', route: '/healthz', status: 200, key_id: null },
  ])
  expect(told).toMatchObject([
    { method: 'GET', code: 'caller_left' },
    { code: 'invalid_request' },
    { code: 'ok' },
  ])
})

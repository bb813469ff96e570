import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createMetricsApp } from '../../src/http/metrics-app.ts'
import { certified } from '../providers/self-signed.ts'
import { createTestApp } from '../support/app.ts'
import { parseRaw, sendRaw } from '../support/raw-http.ts'

/** Far less than a stop waits for requests under way. */
const NO_WAIT_MS = 10_000
const GET = 'GET /v1/tokens/a HTTP/1.1\r\nHost: vault\r\nAuthorization: Bearer tokens:list\r\n\r\n'

async function portOf(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** A connection on which half of a request has come. */
async function sendHalf(port: number): Promise<Socket> {
  const half = connect(port, '127.0.0.1')
  half.write(GET.slice(0, 40))
  await once(half, 'connect')
  return half
}

test(
  'a caller who has left before the answer does not hold up a stop, nor does half of a request',
  async () => {
    const asked = Promise.withResolvers<undefined>()
    const app = await createTestApp({
      get() {
        asked.resolve(undefined)
        return new Promise(() => undefined)
      },
    })
    const port = await portOf(app)
    const leaving = connect(port, '127.0.0.1')
    leaving.write(GET)
    await asked.promise
    leaving.destroy()
    const half = await sendHalf(port)
    const ended = once(half, 'close')
    await app.close()
    await ended
    expect(half.destroyed).toBe(true)
  },
  NO_WAIT_MS,
)

test(
  'neither does one who has left while the key was read',
  async () => {
    const [read, closed] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
    const authenticator = {
      async authenticate() {
        read.resolve(undefined)
        await closed.promise
        return { keyId: 'key', namespaceId: 'n', scopes: new Set(['tokens:list'] as const) }
      },
    }
    const app = await createTestApp({ get: () => new Promise(() => undefined) }, { authenticator })
    app.server.on('connection', (socket: Socket) => {
      socket.once('close', () => {
        closed.resolve(undefined)
      })
    })
    const port = await portOf(app)
    const leaving = connect(port, '127.0.0.1')
    leaving.write(GET)
    await read.promise
    leaving.destroy()
    await closed.promise
    await sendHalf(port)
    await app.close()
  },
  NO_WAIT_MS,
)

test(
  'a connection without a request does not hold up the stop of a port of metrics',
  async () => {
    const app = await createMetricsApp(() => Promise.resolve(''), pino({ level: 'silent' }))
    await once(connect(await portOf(app), '127.0.0.1'), 'connect')
    await app.close()
  },
  NO_WAIT_MS,
)

test('a request may take no longer for its headers than for all of it, with TLS as without', async () => {
  for (const tls of [null, { ...certified({ name: 'vault' }), clientCa: null }]) {
    const app = await createTestApp({}, { tls })
    expect([app.server.requestTimeout, app.server.headersTimeout]).toEqual([30_000, 30_000])
    await app.close()
  }
})

/** Less than Node's own pause between two looks at what is late. */
const SOON_MS = 20_000
const BODY_TO_COME = [
  'POST /v1/tokens HTTP/1.1',
  'Host: vault',
  'Authorization: Bearer tokens:write',
  'Content-Type: application/json',
  'Content-Length: 20',
  '',
  '',
].join('\r\n')

test.each([
  ['head', GET.slice(0, 40)],
  ['body', BODY_TO_COME],
])(
  'a request whose %s does not come in its time is answered soon after',
  async (_what, sent) => {
    const app = await createTestApp({})
    const port = await portOf(app)
    Object.assign(app.server, { requestTimeout: 1, headersTimeout: 1 })
    const answer = await sendRaw(`http://127.0.0.1:${port}`, sent)
    expect(parseRaw(answer)).toMatchObject({
      status: 408,
      body: {
        code: 'invalid_request',
        detail: 'The request took too long to come: send all of it within 30 seconds.',
        errors: [{ pointer: '', detail: 'did not come in time' }],
      },
    })
    await app.close()
  },
  SOON_MS,
)

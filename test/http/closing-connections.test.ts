import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createMetricsApp } from '../../src/http/metrics-app.ts'
import { createTestApp } from '../support/app.ts'

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

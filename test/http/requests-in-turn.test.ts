import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { AppOptions } from '../../src/http/app.ts'
import { createTestApp } from '../support/app.ts'

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: vault\r\n\r\n`

/** Connections to an app of these parts. */
async function serve(parts: Partial<AppOptions>) {
  const app = await createTestApp({}, parts)
  await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as AddressInfo
  return {
    app,
    send: (requests: string): Socket => {
      const socket = connect(port, '127.0.0.1')
      onTestFinished(() => {
        socket.destroy()
      })
      socket.setEncoding('utf8')
      socket.on('error', () => undefined)
      socket.write(requests)
      return socket
    },
  }
}

/** All that comes until there are so many answers. */
async function read(socket: Socket, answers: number): Promise<string> {
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.split('HTTP/1.1 ').length > answers && text.endsWith('}')) return text
  }
  return text
}

const statusesIn = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))

/** Checks that go on until the test lets them. */
function heldChecks() {
  const checks: (() => void)[] = []
  return { checks, ready: () => new Promise<void>((resolve) => checks.push(resolve)) }
}

test('requests sent ahead are begun one after the other, and answered in their order', async () => {
  let [running, most, begun] = [0, 0, 0]
  const { send } = await serve({
    async ready() {
      most = Math.max(most, (running += 1))
      begun += 1
      const isWell = begun % 3 > 0
      await new Promise(setImmediate)
      running -= 1
      if (!isWell) throw new Error('each third one is not')
    },
  })
  const paths = ['/readyz', '/readyz', '/%ff', '/readyz', '/nowhere']
  const some = paths.map(request).join('')
  const text = await read(send(some.repeat(20)), 100)
  expect([most, begun]).toEqual([1, 60])
  expect(statusesIn(text)).toEqual(Array.from({ length: 20 }, () => [200, 200, 400, 503, 404]).flat())
})

test('while an answer is not read, those behind it are not begun', async () => {
  const text = 'x'.repeat(16 * 1024 * 1024)
  let begun = 0
  const metrics = () => {
    begun += 1
    return Promise.resolve(text)
  }
  const { send } = await serve({ metrics })
  const unread = send(request('/metrics').repeat(3))
  await expect.poll(() => begun).toBe(1)
  for (let other = 0; other < 20; other += 1) await read(send(request('/healthz')), 1)
  expect(begun).toBe(1)
  unread.resume()
  await expect.poll(() => begun).toBe(3)
})

test('those of somebody who has left are not begun', async () => {
  const { checks, ready } = heldChecks()
  const { app, send } = await serve({ ready })
  const closed = Promise.withResolvers<undefined>()
  app.server.once('connection', (socket: Socket) =>
    socket.once('close', () => {
      closed.resolve(undefined)
    }),
  )
  const leaving = send(request('/readyz').repeat(9))
  await expect.poll(() => checks.length).toBe(1)
  leaving.destroy()
  await closed.promise
  checks[0]?.()
  await read(send(request('/healthz')), 1)
  expect(checks).toHaveLength(1)
})

test('who sends more than a hundred ahead is cut, and so is who does when others have sent thousands', async () => {
  const { checks, ready } = heldChecks()
  const { send } = await serve({ ready })
  await once(send(request('/readyz').repeat(102)), 'close')
  expect(checks).toHaveLength(1)
  const full = Array.from({ length: 20 }, () => send(request('/readyz').repeat(101)))
  await expect.poll(() => checks.length).toBe(21)
  await once(send(request('/readyz').repeat(2)), 'close')
  for (const socket of full) socket.destroy()
  const statuses = () => read(send(request('/healthz').repeat(101)), 101).then(statusesIn)
  await expect.poll(statuses).toEqual(Array.from({ length: 101 }, () => 200))
})

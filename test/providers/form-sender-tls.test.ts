import { createServer } from 'node:https'
import { expect, onTestFinished, test } from 'vitest'
import type { FormPost } from '../../src/providers/form-sender.ts'
import { createFormSender } from '../../src/providers/form-sender.ts'
import { listen } from './local-server.ts'
import { selfSigned } from './self-signed.ts'

const { key, cert } = selfSigned()

async function startServer() {
  let requests = 0
  /** Of each connection, whether it took up the session of an earlier one. */
  const resumed: boolean[] = []
  const server = createServer({ key, cert }, (request, response) => {
    requests += 1
    request.resume().on('end', () => response.end('{"a":1}'))
  })
  server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()))
  const port = await listen(server)
  return { url: `https://127.0.0.1:${port}/token`, requests: () => requests, resumed }
}

test('over TLS the answer comes from a server that is trusted', async () => {
  const { url } = await startServer()
  expect(await createFormSender({ ca: cert })(postTo(url))).toMatchObject({
    kind: 'answered',
    body: '{"a":1}',
  })
})

test('each request has a connection of its own, which takes up the session of one before it', async () => {
  const { url, resumed } = await startServer()
  const sendTrusting = createFormSender({ ca: cert })
  for (let count = 0; count < 3; count += 1)
    expect(await sendTrusting(postTo(url))).toMatchObject({ kind: 'answered' })
  expect(resumed).toEqual([false, true, true])
})

test('a server that nobody vouches for gets nothing, even where the environment says not to look', async () => {
  const { url, requests } = await startServer()
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  onTestFinished(() => {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  })
  for (let count = 0; count < 2; count += 1) {
    const reply = await createFormSender()(postTo(url))
    expect(reply).toEqual({ kind: 'failed', error: 'DEPTH_ZERO_SELF_SIGNED_CERT', sent: false })
  }
  expect(requests()).toBe(0)
})

function postTo(url: string): FormPost {
  const client = { id: 'client', secret: null, auth: 'body' } as const
  const sendBeforeMs = performance.now() + 5000
  return { url, form: {}, client, privateNetwork: false, timeoutMs: 2000, sendBeforeMs }
}

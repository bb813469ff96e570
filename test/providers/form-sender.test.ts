import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import type { FormPost } from '../../src/providers/form-sender.ts'
import { createFormSender } from '../../src/providers/form-sender.ts'
import { httpAnswer, startAnswering, startServer } from './local-server.ts'

const REFRESH_TOKEN = '1000.refresh&token=?'

function postTo(url: string, overrides: Partial<FormPost> = {}): FormPost {
  return {
    url,
    form: { grant_type: 'refresh_token', refresh_token: new Secret(REFRESH_TOKEN) },
    client: { id: 'cl:ient', secret: new Secret('s e+cret'), auth: 'body' },
    privateNetwork: false,
    timeoutMs: 2000,
    sendBeforeMs: performance.now() + 5000,
    ...overrides,
  }
}

const send = createFormSender()

describe('the request', () => {
  test('is one POST of a form with the client in the body', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    await send(postTo(server.url))
    const [head = '', body = ''] = server.received().split('\r\n\r\n')
    expect(head).toMatch(/^POST \/oauth\/v2\/token HTTP\/1\.1/)
    expect(head.toLowerCase().split('\r\n')).toEqual(
      expect.arrayContaining([
        'accept: application/json',
        'accept-encoding: identity',
        'content-type: application/x-www-form-urlencoded',
        'connection: close',
        `content-length: ${body.length}`,
      ]),
    )
    expect(head.toLowerCase()).not.toContain('authorization')
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: REFRESH_TOKEN,
      client_id: 'cl:ient',
      client_secret: 's e+cret',
    })
    expect(server.connections()).toBe(1)
  })

  test('carries id and secret in the header, form-encoded, for a provider with basic', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    await send(
      postTo(server.url, { client: { id: 'cl:ient', secret: new Secret('s e+cret'), auth: 'basic' } }),
    )
    const [head = '', body = ''] = server.received().split('\r\n\r\n')
    const basic = /authorization: Basic (\S+)/i.exec(head)?.[1] ?? ''
    expect(Buffer.from(basic, 'base64').toString()).toBe('cl%3Aient:s+e%2Bcret')
    expect(body).not.toContain('client')
  })

  test('names a public client in the body, whatever the provider prefers', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    await send(postTo(server.url, { client: { id: 'public', secret: null, auth: 'basic' } }))
    expect(server.received()).toContain('client_id=public')
    expect(server.received().toLowerCase()).not.toContain('authorization')
  })
})

test('no proxy of the environment sees a request', async () => {
  const server = await startAnswering(httpAnswer('{"a":1}'))
  const module = new URL('../../src/providers/form-sender.ts', import.meta.url).href
  const post = {
    url: server.url,
    form: {},
    client: { id: 'i', secret: null, auth: 'body' },
    privateNetwork: false,
    timeoutMs: 5000,
  }
  const code = `
    const { createFormSender } = await import(${JSON.stringify(module)})
    const post = { ...${JSON.stringify(post)}, sendBeforeMs: performance.now() + 5000 }
    console.log(JSON.stringify(await createFormSender()(post)))`
  const proxy = 'http://127.0.0.1:1'
  const env = { ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { env })
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'answered', body: '{"a":1}' })
})

describe('the answer', () => {
  test('comes with status, body and Retry-After', async () => {
    const server = await startAnswering(
      httpAnswer('{"error":"x"}', ['Retry-After: 7'], '429 Too Many Requests'),
    )
    expect(await send(postTo(server.url))).toEqual({
      kind: 'answered',
      status: 429,
      retryAfter: '7',
      body: '{"error":"x"}',
    })
  })

  test.each([
    ['a second answer behind it', httpAnswer('{"a":1}', ['Connection: close']) + httpAnswer('{"a":2}')],
    ['garbage behind it', `${httpAnswer('{"a":1}')}garbage`],
    ['an interim answer before it', `HTTP/1.1 100 Continue\r\n\r\n${httpAnswer('{"a":1}')}`],
    ['no length, but an end', 'HTTP/1.1 200 OK\r\n\r\n{"a":1}'],
    ['an encoding that is none', httpAnswer('{"a":1}', ['Content-Encoding: identity'])],
    ['two of them', httpAnswer('{"a":1}', ['Content-Encoding: identity', 'Content-Encoding: identity'])],
    ['a charset for an encoding', httpAnswer('{"a":1}', ['Content-Encoding: utf-8'])],
    ['a byte order mark', httpAnswer('\uFEFF{"a":1}')],
  ])('is read with %s', async (_, bytes) => {
    const server = await startAnswering(bytes)
    expect(await send(postTo(server.url))).toMatchObject({ kind: 'answered', body: '{"a":1}' })
  })

  const gzipped = gzipSync('{"access_token":"x"}')
  test.each([
    ['a redirect', 'redirect', httpAnswer('', ['Location: http://127.0.0.1:1/'], '307 Temporary Redirect')],
    ['a redirect without a place', 'redirect', httpAnswer('', [], '304 Not Modified')],
    ['a compressed answer', 'answer_encoded', compressed(gzipped)],
    [
      'an answer said to be compressed',
      'answer_encoded',
      httpAnswer('{}', ['Content-Encoding: identity, X-GZIP']),
    ],
    ['more than 64 KiB that it announces', 'answer_too_large', httpAnswer('x'.repeat(65_537))],
    ['more than 64 KiB without end', 'answer_too_large', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(80_000)}`],
    [
      'bytes that are no text',
      'answer_not_utf8',
      Buffer.concat([Buffer.from(httpAnswer('{}')).subarray(0, -2), Buffer.of(0xff, 0xfe)]),
    ],
    ['another protocol', 'not_http', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['two lengths', 'not_http', httpAnswer('{}', ['Transfer-Encoding: chunked'])],
    ['huge headers', 'not_http', httpAnswer('{}', [`X-Much: ${'x'.repeat(70_000)}`])],
  ])('is unreadable: %s', async (_, error, bytes) => {
    const server = await startAnswering(bytes)
    expect(await send(postTo(server.url))).toEqual({ kind: 'unreadable', error })
    expect(server.connections()).toBe(1)
  })

  test('of 64 KiB is read', async () => {
    const server = await startAnswering(httpAnswer('x'.repeat(65_536)))
    expect(await send(postTo(server.url))).toMatchObject({ kind: 'answered' })
  })

  test.each([
    ['is reset', ''],
    ['ends in the middle', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}'],
    [
      'ends in the middle of chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\naccess_token=abcd',
    ],
    ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ])('fails as sent where the connection %s', async (_, bytes) => {
    const server = await startAnswering(bytes)
    expect(await send(postTo(server.url))).toMatchObject({ kind: 'failed', sent: true })
  })

  test.each([
    ['', 'access_token=a&refresh_token=cut'],
    ['Transfer-Encoding: identity\r\n', 'access_token=a&refresh_token=cut'],
    ['', 'error=invalid_gra'],
  ])('fails as cut off where nothing says that a form has ended: %j, %s', async (head, body) => {
    const server = await startAnswering(`HTTP/1.1 200 OK\r\n${head}\r\n${body}`)
    expect(await send(postTo(server.url))).toEqual({ kind: 'failed', error: 'answer_cut_off', sent: true })
  })

  test.each([
    ['its length', httpAnswer('access_token=a')],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\naccess_token=a\r\n0\r\n\r\n'],
  ])('is read as a form that ends with %s', async (_, bytes) => {
    const server = await startAnswering(bytes)
    expect(await send(postTo(server.url))).toMatchObject({ kind: 'answered', body: 'access_token=a' })
  })

  test.each(['', '<html>busy</html>'])('without a length is read where it is no form: %j', async (body) => {
    const server = await startAnswering(`HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n${body}`)
    expect(await send(postTo(server.url))).toMatchObject({ kind: 'answered', status: 503, retryAfter: '7' })
  })

  test('fails as sent at the time limit, and not much later', async () => {
    const server = await startServer(() => undefined)
    const start = performance.now()
    expect(await send(postTo(server.url, { timeoutMs: 100 }))).toEqual({
      kind: 'failed',
      error: 'timeout',
      sent: true,
    })
    expect(performance.now() - start).toBeLessThan(1500)
  })

  test('does not hold the time limit open by dripping', async () => {
    const server = await startServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const drip = setInterval(() => socket.write('x'), 10)
      socket.on('close', () => {
        clearInterval(drip)
      })
    })
    expect(await send(postTo(server.url, { timeoutMs: 100 }))).toMatchObject({ error: 'timeout', sent: true })
  })

  test('that lies in the socket when a paused process wakes up is still read', async () => {
    const server = await startAnsweringThread()
    const reply = send(postTo(server.url, { timeoutMs: 300 }))
    await server.hasRequest()
    blockFor(1000)
    expect(await reply).toMatchObject({ kind: 'answered', body: '{"access_token":"late"}' })
  })
})

describe('the gate', () => {
  test('connects nowhere past its deadline', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    const reply = await send(postTo(server.url, { sendBeforeMs: performance.now() - 1 }))
    expect(reply).toEqual({ kind: 'failed', error: 'too_late', sent: false })
    expect(server.connections()).toBe(0)
  })

  test('sends no byte where the deadline passed while the process was paused', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    const reply = send(postTo(server.url, { sendBeforeMs: performance.now() + 100 }))
    blockFor(200)
    expect(await reply).toEqual({ kind: 'failed', error: 'too_late', sent: false })
    expect(server.received()).toBe('')
  })

  test('sends no byte where a secret does not open', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    const sealed = new Secret(() => {
      throw new Error('the key is gone')
    })
    const reply = await send(postTo(server.url, { form: { refresh_token: sealed } }))
    expect(reply).toEqual({ kind: 'failed', error: 'secret_unreadable', sent: false })
    expect(server.received()).toBe('')
  })

  test('is not open before the handshake of TLS is done', async () => {
    const server = await startServer(() => undefined)
    const url = server.url.replace('http:', 'https:')
    const reply = await send(postTo(url, { sendBeforeMs: performance.now() + 100 }))
    expect(reply).toEqual({ kind: 'failed', error: 'timeout', sent: false })
    expect(server.connections()).toBe(1)
    expect(server.received()).not.toContain('refresh')
  })

  test.each([
    ['a closed port', 'http://127.0.0.1:1/', 'ECONNREFUSED'],
    ['an unknown host', 'https://nowhere.invalid/', expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/)],
    ['no URL', 'nowhere', 'ERR_INVALID_URL'],
  ])('reports as not sent what never got through: %s', async (_, url, error: unknown) => {
    expect(await send(postTo(url))).toEqual({ kind: 'failed', error, sent: false })
  })
})

function compressed(bytes: Buffer): Buffer {
  const head = ['HTTP/1.1 200 OK', 'Content-Encoding: gzip', `Content-Length: ${bytes.length}`, '', '']
  return Buffer.concat([Buffer.from(head.join('\r\n')), bytes])
}

/** Nothing runs meanwhile, as in a process that was stopped. */
function blockFor(ms: number) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** A server in a thread of its own, which answers while this one is blocked. */
async function startAnsweringThread() {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const server = require('node:http').createServer((request, response) => {
      request.resume().on('end', () => {
        Atomics.store(workerData, 0, 1)
        setTimeout(() => response.end('{"access_token":"late"}'), 100)
      })
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`
  const worker = new Worker(code, { eval: true, workerData: flag })
  onTestFinished(async () => {
    await worker.terminate()
  })
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  return {
    url: `http://127.0.0.1:${port}/token`,
    async hasRequest() {
      while (Atomics.load(flag, 0) === 0) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

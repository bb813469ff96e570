import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../bench/load/connection.ts'
import { runLoad } from '../../bench/load/load.ts'
import { REQUESTS } from '../../bench/load/requests.ts'
import { namespaceOf, NAMESPACES, refreshTokenOf, tokenIdOf, userNameOf } from '../../bench/tokens.ts'

async function serve(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function connectTo(port: number) {
  const connection = await openConnection(port)
  onTestFinished(() => {
    connection.close()
  })
  return connection
}

test('an answer is whole when its body is, in however many pieces it comes', async () => {
  const port = await serve((request, response) => {
    const body = 'x'.repeat(1000)
    response.writeHead(request.url === '/missing' ? 404 : 200, { 'content-length': body.length })
    response.write(body.slice(0, 400))
    void pause(20).then(() => response.end(body.slice(400)))
  })
  const connection = await connectTo(port)
  expect(await connection.ask('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')).toBe(200)
  expect(await connection.ask('GET /missing HTTP/1.1\r\nHost: bench\r\n\r\n')).toBe(404)
})

test('a connection that ends before the answer is an error', async () => {
  const port = await serve((request) => request.socket.destroy())
  const connection = await connectTo(port)
  await expect(connection.ask('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')).rejects.toThrow()
})

test('a load counts every answer, and those that are no success', async () => {
  let asked = 0
  const port = await serve((request, response) => {
    request.resume()
    asked += 1
    response.writeHead(asked % 10 === 0 ? 500 : 200, { 'content-length': 0 }).end()
  })
  const tokens = { first: 0, tokens: 100, keys: [] }
  const result = await runLoad({ port, request: 'find', connections: 4, seconds: 0.1, ...tokens })
  expect(result.requests).toBe(asked)
  expect(result.failures).toBe(Math.floor(asked / 10))
})

test('a load in turn asks for each token once before it asks for one twice', async () => {
  const asked: string[] = []
  const port = await serve((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(200, { 'content-length': 0 }).end()
  })
  const tokens = { first: 50, tokens: 1_000_000, inTurn: true, keys: [] }
  await runLoad({ port, request: 'get', connections: 4, seconds: 0.1, ...tokens })
  expect(new Set(asked).size).toBe(asked.length)
  expect(asked).toContain(`/v1/tokens/${tokenIdOf(50)}`)
})

test('a request brings the key of the namespace that its token is in', () => {
  const keys = Array.from({ length: NAMESPACES }, (_, namespace) => `key-${namespace}`)
  const index = NAMESPACES * 3 + 7
  const key = `Bearer key-${namespaceOf(index)}\r\n`
  expect(REQUESTS.find(index, keys)).toContain(key)
  expect(REQUESTS.find(index, keys)).toContain(JSON.stringify({ user_name: userNameOf(index) }))
  expect(REQUESTS.findByRefreshToken(index, keys)).toContain(refreshTokenOf(index))
  expect(REQUESTS.save(index, keys)).toContain(key)
})

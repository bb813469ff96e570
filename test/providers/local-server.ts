import type { Server as TcpServer, Socket } from 'node:net'
import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'

export interface LocalServer {
  port: number
  url: string
  /** All that clients have sent. */
  received: () => string
  connections: () => number
}

/** A server of raw bytes, closed with the test: what it gets is kept, what it says is up to the test. */
export async function startServer(onData: (socket: Socket, received: string) => void): Promise<LocalServer> {
  let received = ''
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      received += data.toString()
      onData(socket, received)
    })
  })
  const port = await listen(server, '127.0.0.1')
  return {
    port,
    url: `http://127.0.0.1:${port}/oauth/v2/token`,
    received: () => received,
    connections: () => connections,
  }
}

/** A server that gives one answer to each connection, once the whole request is there. */
export function startAnswering(answer: string | Buffer): Promise<LocalServer> {
  return startServer((socket, received) => {
    if (isWhole(received)) socket.end(answer)
  })
}

export function httpAnswer(body: string, head: string[] = [], status = '200 OK'): string {
  return [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...head, '', body].join('\r\n')
}

/** Where no host is given, at every address of this machine. */
export async function listen(server: TcpServer, host?: string): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen({ port: 0, host }, resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return address.port
}

function isWhole(request: string): boolean {
  const [head = '', ...rest] = request.split('\r\n\r\n')
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  return length !== undefined && rest.join('\r\n\r\n').length >= Number(length)
}

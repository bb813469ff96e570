import { once } from 'node:events'
import { connect } from 'node:net'

/** A connection that is kept alive, with one request in flight at most. */
export interface Connection {
  /** Resolves with the status of the answer, once all of it has come. */
  ask(request: string): Promise<number>
  close(): void
}

const HEAD_END = '\r\n\r\n'
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i
const STATUS_AT = 'HTTP/1.1 '.length

/**
 * HTTP/1.1 as far as a load needs it: the answer says its length. An HTTP client would cost as much as the service that
 * it measures on the same machine; docs/performance.md has the figures.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  let waiting: PromiseWithResolvers<number> | null = null
  let received: Buffer = Buffer.alloc(0)

  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const answer = wholeAnswer(received)
    if (answer === null || waiting === null) return
    const { resolve } = waiting
    waiting = null
    received = received.subarray(answer.length)
    resolve(answer.status)
  })
  const fail = (error?: Error) => waiting?.reject(error ?? new Error('the connection was closed'))
  socket.on('error', fail)
  socket.on('end', () => {
    fail()
  })
  return {
    ask(request) {
      waiting = Promise.withResolvers<number>()
      socket.write(request, 'latin1')
      return waiting.promise
    },
    close: () => socket.destroy(),
  }
}

/** Null until all of it is there. */
function wholeAnswer(received: Buffer): { status: number; length: number } | null {
  const headEnd = received.indexOf(HEAD_END)
  if (headEnd < 0) return null
  const head = received.toString('latin1', 0, headEnd)
  const bodyLength = Number(CONTENT_LENGTH.exec(head)?.[1] ?? 0)
  const length = headEnd + HEAD_END.length + bodyLength
  if (received.length < length) return null
  return { status: Number(head.slice(STATUS_AT, STATUS_AT + 3)), length }
}

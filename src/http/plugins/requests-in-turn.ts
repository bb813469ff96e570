import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Who sends more ahead is cut: each that waits takes 5 KB of memory, and the body that came with it. */
const MOST_WAITING = 100
const MOST_WAITING_IN_ALL = 2_000

/** The requests of one connection. */
interface Line {
  last: ServerResponse
  waiting: number
}

const lines = new WeakMap<Socket, Line>()
let waitingInAll = 0

/**
 * Requests sent ahead on one connection wait for each other. Node hands over all that it has read, more than a thousand
 * at a time: what one of them costs is not to be had by the thousand.
 */
export function answerInTurn(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, { raw }, done) => {
    takeTurn(raw, done)
  })
}

/** Begins once all that came before on the connection is answered; never where nobody is left to answer to. */
export function takeTurn(response: ServerResponse, begin: () => void): void {
  const { socket } = response.req
  const line = lines.get(socket)
  if (line === undefined || line.last.closed) {
    lines.set(socket, { last: response, waiting: 0 })
    begin()
  } else if (line.waiting >= MOST_WAITING || waitingInAll >= MOST_WAITING_IN_ALL) socket.destroy()
  else if (socket.writable) wait(line, response, begin)
}

function wait(line: Line, response: ServerResponse, begin: () => void): void {
  const { socket } = response.req
  const { last } = line
  line.last = response
  count(line, 1)
  last.once('close', () => {
    // A connection ends with one answer: those behind it never close.
    count(line, socket.writable ? -1 : -line.waiting)
    if (socket.writable) begin()
  })
}

function count(line: Line, change: number): void {
  line.waiting += change
  waitingInAll += change
}

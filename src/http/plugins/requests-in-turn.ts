import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Who sends more ahead is cut: each that waits takes 5 KB of memory, and the body that came with it. */
const MOST_WAITING = 100
const MOST_WAITING_IN_ALL = 2_000

interface Waiting {
  response: ServerResponse
  begin: () => void
}

/** The requests of one connection. Between two of them it holds on to neither: a key, or a token, may stand there. */
interface Line {
  isBusy: boolean
  waiting: Waiting[]
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
  const line = lineOf(socket)
  if (!line.isBusy) start(line, { response, begin })
  else if (line.waiting.length >= MOST_WAITING || waitingInAll >= MOST_WAITING_IN_ALL) socket.destroy()
  else if (socket.writable) {
    line.waiting.push({ response, begin })
    waitingInAll += 1
  }
}

function lineOf(socket: Socket): Line {
  const known = lines.get(socket)
  if (known !== undefined) return known
  const line = { isBusy: false, waiting: [] }
  lines.set(socket, line)
  return line
}

function start(line: Line, { response, begin }: Waiting): void {
  const { socket } = response.req
  line.isBusy = true
  response.on('close', () => {
    line.isBusy = false
    // A connection ends with one answer: those behind it are nobody's.
    const next = line.waiting.splice(0, socket.writable ? 1 : line.waiting.length)
    waitingInAll -= next.length
    const [first] = next
    if (first !== undefined && socket.writable) start(line, first)
  })
  begin()
}

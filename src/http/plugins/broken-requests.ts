import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_TYPE } from '../../contract/problem.ts'
import { problemOf } from '../problem.ts'
import { sendProblem } from './problems.ts'
import { takeTurn } from './requests-in-turn.ts'

/** Connections whose last request was answered before all of it had come. */
const answeredEarly = new WeakSet<Socket>()

export function noteEarlyAnswers(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw: { socket } }, _reply, done) => {
    answeredEarly.delete(socket)
    done()
  })
  app.addHook('onSend', ({ raw: { complete, socket } }, _reply, payload, done) => {
    if (!complete) answeredEarly.add(socket)
    done(null, payload)
  })
}

/** Who is told of the answers that no hook sees. What is not HTTP has no method. */
export type OnBrokenRequest = (answer: { id: string; method: string | null; status: number }) => void

/** A path that cannot be decoded reaches no route, no hook and no plugin. */
export function answerMalformedPath(
  request: FastifyRequest,
  reply: FastifyReply,
  onBrokenRequest: OnBrokenRequest,
): void {
  const errors = [{ pointer: '', detail: 'is not UTF-8, percent-encoded (path)' }]
  reply.header('cache-control', 'no-store').header('x-request-id', request.id)
  takeTurn(reply.raw, () => {
    answeredEarly.add(request.raw.socket)
    void sendProblem(request, reply, 'invalid_request', 'The path is malformed.', { errors })
    onBrokenRequest({ id: request.id, method: request.method, status: reply.statusCode })
  })
}

/**
 * What is not even HTTP never becomes a request: it is answered on the bare socket. The rest of a request that has its
 * answer gets no other one: a proxy might take it for the answer to the next request.
 */
export function answerBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onBrokenRequest: OnBrokenRequest,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  if (answeredEarly.has(socket)) {
    socket.end()
    return
  }
  const { status, reason, detail, fault } = brokenRequests[error.code ?? ''] ?? NOT_HTTP
  const facts = { errors: [{ pointer: '', detail: fault }] }
  const problem = { ...problemOf('invalid_request', detail, randomUUID(), facts), status }
  const body = JSON.stringify(problem)
  socket.end(
    [
      `HTTP/1.1 ${status} ${reason}`,
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${problem.request_id}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
  brokenOff.add(socket)
  onBrokenRequest({ id: problem.request_id, method: null, status })
}

const brokenOff = new WeakSet<Socket>()

/** The rest of it was no HTTP, or did not come, and was answered as such. */
export function isBrokenOff({ complete, socket }: IncomingMessage): boolean {
  return !complete && brokenOff.has(socket)
}

interface BrokenRequest {
  status: number
  reason: string
  detail: string
  fault: string
}

const NOT_HTTP: BrokenRequest = {
  status: 400,
  reason: 'Bad Request',
  detail: 'This is not a valid HTTP request.',
  fault: 'is not HTTP',
}
const brokenRequests: Record<string, BrokenRequest> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    reason: 'Request Header Fields Too Large',
    detail: 'The headers are too large.',
    fault: 'has headers that are too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    reason: 'Request Timeout',
    detail: 'The request took too long to come: send all of it within 30 seconds.',
    fault: 'did not come in time',
  },
}

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import { PROBLEM_TYPE } from '../../contract/problem.ts'
import type { ErrorFacts } from '../../domain/errors.ts'
import { escapePointer, VaultError } from '../../domain/errors.ts'
import type { ProblemCode } from '../problem.ts'
import { problemOf } from '../problem.ts'
import { takeTurn } from './requests-in-turn.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** `ok`, or the code of the problem that it is answered with. */
    outcome: ProblemCode | 'ok'
  }
}

/** Every error leaves as a problem document; only a fault of ours is logged, without the words it came with. */
export function answerProblems(app: FastifyInstance): void {
  app.decorateRequest('outcome', 'ok')
  app.setErrorHandler((error: FastifyError | VaultError, request, reply) =>
    reply.send(describeError(request, reply, error)),
  )
  app.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, 'not_found', 'There is no such route: see /docs.'),
  )
  app.addHook('onRequest', ({ raw: { socket } }, _reply, done) => {
    answeredEarly.delete(socket)
    done()
  })
  app.addHook('onSend', ({ raw: { complete, socket } }, _reply, payload, done) => {
    if (!complete) answeredEarly.add(socket)
    done(null, payload)
  })
  // The router takes the nothing behind a last slash for an id.
  app.addHook('onRequest', ({ params }, reply, done) => {
    if ((params as { id?: string }).id === '') reply.callNotFound()
    else done()
  })
}

/** Connections whose last request was answered before all of it had come. */
const answeredEarly = new WeakSet<Socket>()

export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  code: ProblemCode,
  detail: string,
  facts: ErrorFacts = {},
): FastifyReply {
  return reply.send(describeProblem(request, reply, { code, detail, facts }))
}

/** The problem document of an error, of which the reply gets the head. */
export function describeError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: FastifyError | VaultError,
): string {
  const problem = toProblem(error)
  const { id, log } = request
  if (problem.code === 'internal_error') log.error({ request_id: id, err: error }, 'request failed')
  if (problem.code === 'storage_unavailable')
    log.warn({ request_id: id, err: error.cause }, 'storage unavailable')
  return describeProblem(request, reply, problem)
}

function describeProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, detail, facts = {} }: Told,
): string {
  const problem = problemOf(code, detail, request.id, facts)
  request.outcome = code
  if (code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  if (facts.retryAfterSeconds !== undefined) reply.header('retry-after', facts.retryAfterSeconds)
  reply.status(problem.status).type(PROBLEM_TYPE)
  return JSON.stringify(problem)
}

const MOST_FAULTS = 20
const UNSUPPORTED = 'Send JSON: Content-Type: application/json, without a Content-Encoding.'

interface Told {
  code: ProblemCode
  detail: string
  facts?: ErrorFacts
}

function toProblem(error: FastifyError | VaultError): Told {
  if (error instanceof VaultError) return { code: error.code, detail: error.message, facts: error.facts }
  if (error.validation !== undefined) {
    const errors = error.validation
      .slice(0, MOST_FAULTS)
      .map((fault) => faultOf(fault, error.validationContext))
    return { code: 'invalid_request', detail: 'The request is malformed.', facts: { errors } }
  }
  switch (error.statusCode) {
    case 400:
      return {
        code: 'invalid_request',
        detail: bodyFaults[error.code] ?? 'The request is malformed.',
        facts: wholeBody,
      }
    case 413:
      return { code: 'payload_too_large', detail: 'A body holds at most 64 KiB.' }
    case 415:
      return { code: 'unsupported_media_type', detail: UNSUPPORTED }
    default:
      return { code: 'internal_error', detail: 'The vault failed; its log says why under this request_id.' }
  }
}

const wholeBody: ErrorFacts = { errors: [{ pointer: '', detail: 'cannot be read' }] }

const bodyFaults: Record<string, string> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty: send a JSON object.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is shorter or longer than Content-Length says.',
}

type Fault = NonNullable<FastifyError['validation']>[number]

/** The field by JSON pointer. Ajv's messages speak of the schema, never of the value. */
function faultOf({ instancePath, keyword, params, message = 'is invalid' }: Fault, context = 'body') {
  const extra = keyword === 'additionalProperties' ? params['additionalProperty'] : params['missingProperty']
  const pointer = typeof extra === 'string' ? `${instancePath}/${escapePointer(extra)}` : instancePath
  const detail = keyword === 'additionalProperties' ? 'is not a field of this request' : message
  return { pointer, detail: context === 'body' ? detail : `${detail} (${context})` }
}

/** Who is told of the answers that no hook sees. What is not HTTP has no method. */
export type TellUnrouted = (answer: { id: string; method: string | null; status: number }) => void

/** A path that cannot be decoded reaches no route, no hook and no plugin. */
export function answerMalformedPath(request: FastifyRequest, reply: FastifyReply, tell: TellUnrouted): void {
  const errors = [{ pointer: '', detail: 'is not UTF-8, percent-encoded (path)' }]
  reply.header('cache-control', 'no-store').header('x-request-id', request.id)
  takeTurn(reply.raw, () => {
    answeredEarly.add(request.raw.socket)
    void sendProblem(request, reply, 'invalid_request', 'The path is malformed.', { errors })
    tell({ id: request.id, method: request.method, status: reply.statusCode })
  })
}

/**
 * What is not even HTTP never becomes a request: it is answered on the bare socket. The rest of a request that has its
 * answer gets no other one: a proxy might take it for the answer to the next request.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, tell: TellUnrouted): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  if (answeredEarly.has(socket)) {
    socket.end()
    return
  }
  const [status, reason] = brokenRequests[error.code ?? ''] ?? [400, 'Bad Request']
  const facts = { errors: [{ pointer: '', detail: 'is not HTTP' }] }
  const problem = {
    ...problemOf('invalid_request', 'This is not a valid HTTP request.', uuidv7(), facts),
    status,
  }
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
  tell({ id: problem.request_id, method: null, status })
}

const brokenOff = new WeakSet<Socket>()

/** The rest of it was no HTTP, or did not come, and was answered as such. */
export function isBrokenOff({ complete, socket }: IncomingMessage): boolean {
  return !complete && brokenOff.has(socket)
}

const brokenRequests: Record<string, [number, string]> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
}

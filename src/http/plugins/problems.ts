import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_TYPE } from '../../contract/problem.ts'
import type { ErrorFacts } from '../../domain/errors.ts'
import { VaultError } from '../../domain/errors.ts'
import type { ProblemCode } from '../problem.ts'
import { problemOf } from '../problem.ts'
import { faultOf } from '../validation.ts'

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
  app.setNotFoundHandler(sendNoRoute)
  // The router takes the nothing behind a last slash for an id.
  app.addHook('onRequest', ({ params }, reply, done) => {
    if ((params as { id?: string }).id === '') reply.callNotFound()
    else done()
  })
}

export function sendNoRoute(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(request, reply, 'not_found', 'There is no such route: see /docs.', noRoute)
}

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

/** A client must not take a wrong address for a token that is not there: of that, an answer has no `errors`. */
const noRoute: ErrorFacts = { errors: [{ pointer: '', detail: 'is no route of the vault (path)' }] }
const wholeBody: ErrorFacts = { errors: [{ pointer: '', detail: 'cannot be read' }] }

const bodyFaults: Record<string, string> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty: send a JSON object.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is shorter or longer than Content-Length says.',
}

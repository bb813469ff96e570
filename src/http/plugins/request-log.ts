import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestObserver } from '../../domain/observer.ts'
import type { OnBrokenRequest } from './broken-requests.ts'
import { isBrokenOff } from './broken-requests.ts'

declare module 'fastify' {
  interface FastifyRequest {
    isLogged: boolean
  }
}

type Answer = Parameters<RequestObserver['answered']>[0] & { line: Readonly<Record<string, unknown>> }

export type LogAnswer = (answer: Answer) => void

/**
 * One line an answer, of fields that are allowed by name: never a header, a query or a body. Those that went well are
 * there for who looks for them, at `debug`: the audit log has who saw and who changed what. Answers of one turn of the
 * event loop are written together, behind all of them: one by one, each between two requests, they took an eighth of
 * what an access token takes.
 */
export function createRequestLog(log: FastifyBaseLogger, observer: RequestObserver): LogAnswer {
  let waiting: Answer[] = []
  const logAll = () => {
    const answers = waiting
    waiting = []
    for (const { line, code } of answers) log[code === 'ok' ? 'debug' : 'info'](line, 'answered')
    for (const answer of answers) observer.answered(answer)
  }
  return (answer) => {
    if (waiting.length === 0) setImmediate(logAll)
    waiting.push(answer)
  }
}

/** As nginx has it. */
const LEFT = { status: 499, code: 'caller_left' }

/** Fastify's onResponse never comes for a caller who has left before all of the answer was sent. */
export function logAnswers(app: FastifyInstance, logAnswer: LogAnswer): void {
  app.decorateRequest('isLogged', false)
  const logOnce = (request: FastifyRequest, reply: FastifyReply, answer: typeof LEFT) => {
    if (!request.isLogged) logAnswer(answerOf(request, reply, answer))
    request.isLogged = true
  }
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.on('close', () => {
      if (!isBrokenOff(request.raw)) logOnce(request, reply, LEFT)
    })
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    logOnce(request, reply, { status: reply.statusCode, code: request.outcome })
    done()
  })
}

function answerOf(request: FastifyRequest, reply: FastifyReply, { status, code }: typeof LEFT): Answer {
  const { id, method, routeOptions } = request
  const route = routeOptions.url ?? request.refusedAt
  const ms = reply.elapsedTime
  const line = {
    request_id: id,
    method,
    route,
    status,
    ms: Math.round(ms * 10) / 10,
    key_id: request.caller?.keyId ?? null,
  }
  return { line, method: request.is404 ? null : method, route, code, ms }
}

/** What no hook sees has no key, and nobody knows when it began. */
export function answerToBrokenRequest({ id, method, status }: Parameters<OnBrokenRequest>[0]): Answer {
  const line = { request_id: id, method, route: null, status, ms: null, key_id: null }
  return { line, method: null, route: null, code: 'invalid_request', ms: 0 }
}

import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestObserver } from '../../domain/observer.ts'
import type { TellUnrouted } from './broken-requests.ts'
import { isBrokenOff } from './broken-requests.ts'

declare module 'fastify' {
  interface FastifyRequest {
    isTold: boolean
  }
}

type Answer = Parameters<RequestObserver['answered']>[0] & { line: Readonly<Record<string, unknown>> }

export type Tell = (answer: Answer) => void

/**
 * One line an answer, of fields that are allowed by name: never a header, a query or a body. Those that went well are
 * told to who looks for them, at `debug`: the audit log has who saw and who changed what. Answers of one turn of the
 * event loop are told together, behind all of them: told one by one, each between two requests, they took an eighth of
 * what an access token takes.
 */
export function createTeller(log: FastifyBaseLogger, observer: RequestObserver): Tell {
  let untold: Answer[] = []
  const tellAll = () => {
    const answers = untold
    untold = []
    for (const { line, code } of answers) log[code === 'ok' ? 'debug' : 'info'](line, 'answered')
    for (const answer of answers) observer.answered(answer)
  }
  return (answer) => {
    if (untold.length === 0) setImmediate(tellAll)
    untold.push(answer)
  }
}

/** As nginx has it. */
const LEFT = { status: 499, code: 'caller_left' }

/** Fastify's onResponse never comes for a caller who has left before all of the answer was sent. */
export function tellAnswers(app: FastifyInstance, tell: Tell): void {
  app.decorateRequest('isTold', false)
  const tellOnce = (request: FastifyRequest, reply: FastifyReply, answer: typeof LEFT) => {
    if (!request.isTold) tell(answerOf(request, reply, answer))
    request.isTold = true
  }
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.on('close', () => {
      if (!isBrokenOff(request.raw)) tellOnce(request, reply, LEFT)
    })
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    tellOnce(request, reply, { status: reply.statusCode, code: request.outcome })
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
export function unrouted({ id, method, status }: Parameters<TellUnrouted>[0]): Answer {
  const line = { request_id: id, method, route: null, status, ms: null, key_id: null }
  return { line, method: null, route: null, code: 'invalid_request', ms: 0 }
}

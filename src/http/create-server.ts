import { randomUUID } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import { Readable } from 'node:stream'
import sensible from '@fastify/sensible'
import Fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { OnBrokenRequest } from './plugins/broken-requests.ts'
import { answerBrokenRequest, answerMalformedPath, noteEarlyAnswers } from './plugins/broken-requests.ts'
import { refuseOddHeaders } from './plugins/odd-headers.ts'
import { answerProblems } from './plugins/problems.ts'
import { answerInTurn } from './plugins/requests-in-turn.ts'

interface MoreOptions {
  bodyLimit?: number
  routerOptions?: { maxParamLength: number }
  https?: ServerOptions | null
  onBrokenRequest?: OnBrokenRequest
}

const REQUEST_TIMEOUT_MS = 30_000
const SERVER = {
  // Node's own for the headers is longer, and would hold for all of the request.
  headersTimeout: REQUEST_TIMEOUT_MS,
  // Node's own would let a late request wait for as long again.
  connectionsCheckingInterval: 2_000,
  // A request without a body needs no stream: most have none, and it would cost a tenth of the answer.
  optimizeEmptyRequests: true,
  // Node would refuse it in a bare answer; ours is a problem document.
  requireHostHeader: false,
}
/** Spread, since Fastify's types allow no `http` beside an `https` that is null. */
const PLAIN = { http: SERVER }

/** A server without routes, which answers whatever is sent to it by problem documents that no cache keeps. */
export async function createServer(
  loggerInstance: FastifyBaseLogger,
  { https = null, onBrokenRequest = () => undefined, ...more }: MoreOptions = {},
): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    // A child a request would cost more than the line it writes: who logs names the request.
    childLoggerFactory: (logger) => logger,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // What comes in on a connection that is still open is served: Fastify's own refusal is no problem document.
    return503OnClosing: false,
    clientErrorHandler(error, socket) {
      answerBrokenRequest(error, socket, onBrokenRequest)
    },
    frameworkErrors(_error, request, reply) {
      answerMalformedPath(request, reply, onBrokenRequest)
    },
    ...PLAIN,
    https: https && { ...https, ...SERVER },
    ...more,
  })
  // Node would answer in its own words.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  await app.register(sensible)
  answerInTurn(app)
  giveParsersAnEnd(app)
  stampAnswers(app)
  noteEarlyAnswers(app)
  answerProblems(app)
  refuseOddHeaders(app)
  return app
}

/** No cache keeps an answer, and each one can be found in the log. */
function stampAnswers(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('cache-control', 'no-store').header('x-request-id', request.id)
    done()
  })
}

/** The stream that is not needed has ended before a parser could hear it: one that is called for all that gets another. */
function giveParsersAnEnd(app: FastifyInstance): void {
  app.addHook('preParsing', ({ headers }, _reply, payload, done) => {
    const isOver = headers['content-type'] !== undefined && (payload as Readable).readableEnded
    done(null, isOver ? Readable.from([]) : payload)
  })
}

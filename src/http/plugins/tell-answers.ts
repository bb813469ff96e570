import type { FastifyInstance } from 'fastify'
import type { RequestObserver } from '../../domain/observer.ts'

type Answer = Parameters<RequestObserver['answered']>[0] & { line: Readonly<Record<string, unknown>> }

/**
 * One line an answer, of fields that are allowed by name: never a header, a query or a body. Those that went well are
 * told to who looks for them, at `debug`: the audit log has who saw and who changed what. Answers of one turn of the
 * event loop are told together, behind all of them: told one by one, each between two requests, they took an eighth of
 * what an access token takes.
 */
export function tellAnswers(app: FastifyInstance, observer: RequestObserver): void {
  let untold: Answer[] = []
  const tell = () => {
    const answers = untold
    untold = []
    for (const { line, code } of answers) app.log[code === 'ok' ? 'debug' : 'info'](line, 'answered')
    for (const answer of answers) observer.answered(answer)
  }
  app.addHook('onResponse', (request, reply, done) => {
    const { id, method, outcome: code, routeOptions } = request
    const [route, ms] = [routeOptions.url ?? request.refusedAt, reply.elapsedTime]
    const line = {
      request_id: id,
      method,
      route,
      status: reply.statusCode,
      ms: Math.round(ms * 10) / 10,
      key_id: request.caller?.keyId ?? null,
    }
    if (untold.length === 0) setImmediate(tell)
    untold.push({ line, method: request.is404 ? null : method, route, code, ms })
    done()
  })
}

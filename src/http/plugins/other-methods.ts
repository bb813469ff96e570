import type { FastifyInstance } from 'fastify'
import { ROUTE_SCOPES } from '../scopes.ts'
import { sendProblem } from './problems.ts'

/** A known path answers a method that it does not have with 405, and says which it has. */
export function refuseOtherMethods(app: FastifyInstance): void {
  for (const [url, allowed] of methodsByUrl()) {
    const others = app.supportedMethods.filter((method) => !allowed.includes(method))
    app.route({
      url,
      method: others,
      schema: { hide: true },
      config: { scope: 'public' },
      handler: (request, reply) => {
        reply.header('allow', allowed.join(', '))
        return sendProblem(request, reply, 'method_not_allowed', `Allowed here: ${allowed.join(', ')}.`)
      },
    })
  }
}

function methodsByUrl(): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const route of Object.keys(ROUTE_SCOPES)) {
    const [method = '', url = ''] = route.split(' ')
    const withHead = method === 'GET' ? ['GET', 'HEAD'] : [method]
    methods.set(url, [...(methods.get(url) ?? []), ...withHead])
  }
  return methods
}

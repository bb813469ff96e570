import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ROUTE_SCOPES } from '../scopes.ts'
import { sendProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A path that is known, with a method that it does not have. */
    refusesMethod?: boolean
  }
}

/** A known path answers a method that it does not have with 405, and says which it has. */
export function refuseOtherMethods(app: FastifyInstance): void {
  for (const method of METHODS) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  }
  const routes = Object.keys(ROUTE_SCOPES).map(methodAndUrl)
  for (const url of new Set(routes.map((route) => route.url))) {
    const allowed = methodsAt(url, routes)
    const refuse = (request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(
        request,
        reply.header('allow', allowed.join(', ')),
        'method_not_allowed',
        `Allowed here: ${allowed.join(', ')}.`,
      )
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !allowed.includes(method)),
      schema: { hide: true },
      config: { scope: 'public', refusesMethod: true },
      // Before a body is read, which could be of any kind.
      onRequest: async (request, reply) => Promise.resolve(refuse(request, reply)),
      handler: refuse,
    })
  }
}

interface Route {
  method: string
  url: string
}

function methodAndUrl(route: string): Route {
  const [method = '', url = ''] = route.split(' ')
  return { method, url }
}

/** Of all routes that the path fits: a token whose id is "find" is got like any other. */
function methodsAt(path: string, routes: Route[]): string[] {
  return routes
    .filter(({ url }) => new RegExp(`^${url.replaceAll(':id', '[^/]+')}$`).test(path))
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}

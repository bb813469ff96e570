import type { FastifyInstance } from 'fastify'
import { ROUTE_SCOPES } from '../scopes.ts'
import { sendNoRoute, sendProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The route that a refused method was sent to; null for every other request. */
    refusedAt: string | null
  }
}

const ROUTES = Object.keys(ROUTE_SCOPES).map((route) => {
  const [method = '', url = ''] = route.split(' ')
  return { url, methods: method === 'GET' ? ['GET', 'HEAD'] : [method], path: patternOf(url) }
})

/**
 * What no route takes is refused before a body is read, which could be of any kind. A known path answers a method that
 * it does not have with 405, and says which it has.
 */
export function refuseUnrouted(app: FastifyInstance): void {
  app.decorateRequest('refusedAt', null)
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    const routes = routesAt(request.url)
    const allowed = routes.flatMap(({ methods }) => methods)
    if (allowed.length === 0 || allowed.includes(request.method)) {
      sendNoRoute(request, reply)
      return
    }
    request.refusedAt = routes[0]?.url ?? null
    const methods = allowed.join(', ')
    sendProblem(request, reply.header('allow', methods), 'method_not_allowed', `Allowed here: ${methods}.`)
  })
}

const ORIGIN = /^https?:\/\/[^/?#]*/i

/** All that the path fits, as the router reads it: a token whose id is "find" is got like any other. */
function routesAt(url: string) {
  const [path = ''] = url.replace(ORIGIN, '').split(/[?#]/, 1)
  const decoded = decodeURI(path)
  return ROUTES.filter((route) => route.path.test(decoded))
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(':id', '[^/]+')}$`)
}

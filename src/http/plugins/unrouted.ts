import type { FastifyInstance } from 'fastify'
import { sendNoRoute, sendProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The route that a refused method was sent to; null for every other request. */
    refusedAt: string | null
  }
}

interface Route {
  url: string
  methods: string[]
  path: RegExp
}

/**
 * What no route takes is refused before a body is read, which could be of any kind. A known path answers a method that
 * it does not have with 405, and says which it has. Known are the routes that are registered after this.
 */
export function refuseUnrouted(app: FastifyInstance): void {
  const known: Route[] = []
  app.decorateRequest('refusedAt', null)
  app.addHook('onRoute', ({ url, method }) => {
    known.push({ url, methods: [method].flat().flatMap(withGet), path: patternOf(url) })
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    const path = pathOf(request.url)
    const routes = known.filter((route) => route.path.test(path))
    const allowed = new Set(routes.flatMap(({ methods }) => methods))
    if (allowed.size === 0 || allowed.has(request.method)) {
      sendNoRoute(request, reply)
      return
    }
    request.refusedAt = routes[0]?.url ?? null
    const methods = [...allowed].join(', ')
    sendProblem(request, reply.header('allow', methods), 'method_not_allowed', `Allowed here: ${methods}.`)
  })
}

/** Of `/docs/` Fastify tells only the HEAD that it adds. */
const withGet = (method: string) => (method === 'HEAD' ? ['GET', 'HEAD'] : [method])

const ORIGIN = /^https?:\/\/[^/?#]*/i

/** As the router reads it: a token whose id is "find" is got like any other. */
function pathOf(url: string): string {
  const [path = ''] = url.replace(ORIGIN, '').split(/[?#]/, 1)
  return decodeURI(path)
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(':id', '[^/]+').replace('*', '.+')}$`)
}

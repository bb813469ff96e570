import type { FastifyInstance } from 'fastify'
import { ROUTE_SCOPES } from '../scopes.ts'
import { sendProblem } from './problems.ts'

const ROUTES = Object.keys(ROUTE_SCOPES).map((route) => {
  const [method = '', url = ''] = route.split(' ')
  return { methods: method === 'GET' ? ['GET', 'HEAD'] : [method], path: patternOf(url) }
})

/**
 * A known path answers a method that it does not have with 405, and says which it has: before a body is read, which
 * could be of any kind.
 */
export function refuseOtherMethods(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    const allowed = request.is404 ? methodsAt(request.url) : []
    if (allowed.length === 0 || allowed.includes(request.method)) {
      done()
      return
    }
    const methods = allowed.join(', ')
    sendProblem(request, reply.header('allow', methods), 'method_not_allowed', `Allowed here: ${methods}.`)
  })
}

/** Of all routes that the path fits: a token whose id is "find" is got like any other. */
function methodsAt(url: string): string[] {
  const [path = ''] = url.split('?', 1)
  return ROUTES.filter((route) => route.path.test(path)).flatMap(({ methods }) => methods)
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(':id', '[^/]+')}$`)
}

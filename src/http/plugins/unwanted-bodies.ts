import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalidRequest } from '../../domain/errors.ts'

/** What is sent to a route that takes no body would be dropped in silence. Many clients send `{}` for nothing. */
export function refuseUnwantedBodies(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const isWanted = request.routeOptions.schema?.body !== undefined
    done(isWanted || !hasContent(request) ? undefined : unwanted())
  })
}

const unwanted = () => invalidRequest('This request takes no body.', '', 'is not wanted here')

function hasContent({ method, headers, body }: FastifyRequest): boolean {
  // Its body is not even read.
  if (method === 'GET' || method === 'HEAD')
    return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined
  return typeof body === 'object' && body !== null ? Object.keys(body).length > 0 : body !== undefined
}

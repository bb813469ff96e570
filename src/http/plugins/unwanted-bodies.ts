import type { FastifyInstance, FastifyRequest } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/** What is sent to a route that takes no body would be dropped in silence. Many clients send `{}` for nothing. */
export function refuseUnwantedBodies(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const isWanted = request.is404 || request.routeOptions.schema?.body !== undefined
    done(isWanted || !hasContent(request) ? undefined : unwanted())
  })
}

function unwanted(): VaultError {
  const errors = [{ pointer: '', detail: 'is not wanted here' }]
  return new VaultError('invalid_request', 'This request takes no body.', { errors })
}

function hasContent({ method, headers, body }: FastifyRequest): boolean {
  // Its body is not even read.
  if (method === 'GET' || method === 'HEAD')
    return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined
  return typeof body === 'object' && body !== null ? Object.keys(body).length > 0 : body !== undefined
}

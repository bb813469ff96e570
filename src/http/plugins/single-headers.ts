import type { FastifyInstance } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/** Sent twice, two readers could each take another one for the true one. */
const SINGLE = ['authorization', 'content-type', 'content-length', 'host', 'if-match']

export function refuseRepeatedHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const distinct = request.raw.headersDistinct
    for (const name of SINGLE) {
      if ((distinct[name]?.length ?? 0) > 1) {
        const errors = [{ pointer: `/${name}`, detail: 'was sent more than once (header)' }]
        throw new VaultError('invalid_request', 'A header was sent more than once.', { errors })
      }
    }
    return Promise.resolve()
  })
}

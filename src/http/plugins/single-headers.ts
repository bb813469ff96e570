import type { FastifyInstance } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/** Sent twice, two readers could each take another one for the true one. */
const SINGLE = ['authorization', 'content-type', 'content-length', 'host', 'if-match']

export function refuseRepeatedHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const names = request.raw.rawHeaders
      .filter((_, index) => index % 2 === 0)
      .map((name) => name.toLowerCase())
    const repeated = SINGLE.find((single) => names.indexOf(single) !== names.lastIndexOf(single))
    if (repeated !== undefined) {
      const errors = [{ pointer: `/${repeated}`, detail: 'was sent more than once (header)' }]
      throw new VaultError('invalid_request', 'A header was sent more than once.', { errors })
    }
    return Promise.resolve()
  })
}

import type { FastifyInstance } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/** Sent twice, two readers could each take another one for the true one. */
const SINGLE = ['authorization', 'content-type', 'content-length', 'host', 'if-match']

/** Headers that say two things, or something that nobody here does. */
export function refuseOddHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const names = request.raw.rawHeaders
      .filter((_, index) => index % 2 === 0)
      .map((name) => name.toLowerCase())
    const repeated = SINGLE.find((single) => names.indexOf(single) !== names.lastIndexOf(single))
    if (repeated !== undefined) {
      const errors = [{ pointer: `/${repeated}`, detail: 'was sent more than once (header)' }]
      throw new VaultError('invalid_request', 'A header was sent more than once.', { errors })
    }
    // Node decodes the chunks and leaves it at that: what was compressed as well would be taken for the body itself.
    const encoding = request.headers['transfer-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
      const errors = [{ pointer: '/transfer-encoding', detail: 'must be chunked (header)' }]
      throw new VaultError('invalid_request', 'The transfer encoding is not known.', { errors })
    }
    const { expect } = request.headers
    if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
      const errors = [{ pointer: '/expect', detail: 'must be 100-continue (header)' }]
      throw new VaultError('invalid_request', 'The expectation is not known.', { errors })
    }
    return Promise.resolve()
  })
}

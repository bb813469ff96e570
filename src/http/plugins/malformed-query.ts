import type { FastifyInstance } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/** A query that cannot be decoded is refused: taken as it stands it would name something else. */
export function refuseMalformedQuery(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw: { url = '' } }) => {
    try {
      decodeURIComponent(url.split('?').slice(1).join('?'))
    } catch {
      const errors = [{ pointer: '', detail: 'is not UTF-8, percent-encoded (query)' }]
      throw new VaultError('invalid_request', 'The query is malformed.', { errors })
    }
    return Promise.resolve()
  })
}

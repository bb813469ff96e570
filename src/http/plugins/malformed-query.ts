import type { FastifyInstance } from 'fastify'
import type { VaultError } from '../../domain/errors.ts'
import { invalidRequest } from '../../domain/errors.ts'

/** A query that cannot be decoded is refused: taken as it stands it would name something else. */
export function refuseMalformedQuery(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw: { url = '' } }, _reply, done) => {
    done(isDecodable(url) ? undefined : malformed())
  })
}

function isDecodable(url: string): boolean {
  const query = url.indexOf('?')
  if (query < 0) return true
  try {
    decodeURIComponent(url.slice(query + 1))
    return true
  } catch {
    return false
  }
}

function malformed(): VaultError {
  return invalidRequest('The query is malformed.', '', 'is not UTF-8, percent-encoded (query)')
}

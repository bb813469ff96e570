import type { FastifyInstance } from 'fastify'
import { VaultError } from '../../domain/errors.ts'

/**
 * Exactly one parser: any other media type is a 415, and bytes that are not UTF-8 are refused, not mended. Names such
 * as `__proto__` are left to the validation, which refuses what it does not know and names it.
 */
export function parseJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('ignore', 'ignore')
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // Many clients name the type of a body that they do not send; a route that needs one misses it by itself.
    if (body.length === 0) {
      done(null, undefined)
      return
    }
    let text: string
    try {
      text = decoder.decode(body)
    } catch {
      const errors = [{ pointer: '', detail: 'is not UTF-8' }]
      done(new VaultError('invalid_request', 'The body is not UTF-8.', { errors }))
      return
    }
    void parse(request, text, done)
  })
}

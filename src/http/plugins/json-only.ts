import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { VaultError } from '../../domain/errors.ts'
import { escapePointer, invalidRequest } from '../../domain/errors.ts'

/**
 * Exactly one parser: any other media type is a 415, and so is a body that was compressed; bytes that are not UTF-8 are
 * refused, not mended. Names such as `__proto__` are left to the validation, which refuses what it does not know and
 * names it.
 */
export function parseJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('ignore', 'ignore')
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  app.removeAllContentTypeParsers()
  // Of a body that does not come the type is nobody's concern.
  app.addContentTypeParser('*', ({ headers }, _payload, done) => {
    done(isEmpty(headers) ? null : app.httpErrors.unsupportedMediaType(), undefined)
  })
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // Many clients name the type of a body that they do not send; a route that needs one misses it by itself.
    if (body.length === 0) {
      done(null, undefined)
      return
    }
    if (isEncoded(request)) {
      done(app.httpErrors.unsupportedMediaType())
      return
    }
    let text: string
    try {
      text = decoder.decode(body)
    } catch {
      done(invalidRequest('The body is not UTF-8.', '', 'is not UTF-8'))
      return
    }
    void parse(request, text, (error, parsed: unknown) => {
      done(error ?? repetitionIn(text, parsed), parsed)
    })
  })
}

function isEmpty(headers: FastifyRequest['headers']): boolean {
  return headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0'
}

function isEncoded({ headers }: FastifyRequest): boolean {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding.trim().toLowerCase() !== 'identity'
}

/** A name given twice in the object, of which the parser would keep the last; nested objects are refused anyway. */
function repetitionIn(json: string, parsed: unknown): VaultError | null {
  if (membersIn(json) === Object.keys(parsed ?? {}).length) return null
  const seen = new Set<string>()
  const repeated = namesIn(json).find((name) => seen.size === seen.add(name).size)
  if (repeated === undefined) return null
  const pointer = `/${escapePointer(repeated)}`
  return invalidRequest('A field was given more than once.', pointer, 'was given more than once')
}

/** As many as there are colons outside of strings. */
function membersIn(json: string): number {
  let members = 0
  let isInString = false
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index]
    if (character === '"') isInString = !isInString
    else if (isInString && character === '\\') index += 1
    else if (!isInString && character === ':') members += 1
  }
  return members
}

const STRING_OR_BRACKET = /"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/g

/** Of the outermost object's members. */
function namesIn(json: string): string[] {
  const names: string[] = []
  let depth = 0
  for (const [text, colon] of json.matchAll(STRING_OR_BRACKET)) {
    if (text === '{' || text === '[') depth += 1
    else if (text === '}' || text === ']') depth -= 1
    else if (colon !== undefined && depth === 1)
      names.push(JSON.parse(text.slice(0, -colon.length)) as string)
  }
  return names
}

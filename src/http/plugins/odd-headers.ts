import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { VaultError } from '../../domain/errors.ts'
import { invalidRequest } from '../../domain/errors.ts'

/** Sent twice, two readers could each take another one for the true one. */
const SINGLE = ['authorization', 'content-type', 'content-length', 'host', 'if-match']

/** Headers that say two things, or something that nobody here does, and no host. */
export function refuseOddHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    done(faultOf(raw) ?? undefined)
  })
}

const CONDITIONS = ['if-match', 'if-none-match']

/**
 * A change on a condition that nobody here looks at would be made all the same. Those on a time are to be ignored (RFC
 * 9110, sections 13.1.3 and 13.1.4): no token has a `Last-Modified`.
 */
export function refuseUnusedConditions(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers, routeOptions: { config, schema } }, _reply, done) => {
    const used = schema?.headers === undefined ? undefined : 'if-match'
    const unused = CONDITIONS.find((name) => name !== used && headers[name] !== undefined)
    done(config.action == null || unused === undefined ? undefined : unusedCondition(unused))
  })
}

function unusedCondition(name: string): VaultError {
  return refusal('This request takes no such condition.', name, 'is not wanted here')
}

function faultOf({ rawHeaders, headers, httpVersion }: IncomingMessage): VaultError | null {
  const repeated = SINGLE.find((name) => timesOf(name, rawHeaders) > 1)
  if (repeated !== undefined)
    return refusal('A header was sent more than once.', repeated, 'was sent more than once')
  if (httpVersion === '1.1' && headers.host === undefined)
    return refusal('HTTP/1.1 needs a host.', 'host', 'is missing')
  // Node decodes the chunks and leaves it at that: what was compressed as well would be taken for the body itself.
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    return refusal('The transfer encoding is not known.', 'transfer-encoding', 'must be chunked')
  const { expect } = headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    return refusal('The expectation is not known.', 'expect', 'must be 100-continue')
  return null
}

/** Of names and values by turns. */
function timesOf(name: string, rawHeaders: readonly string[]): number {
  let times = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === name.length && rawHeaders[index]?.toLowerCase() === name) times += 1
  return times
}

function refusal(detail: string, name: string, fault: string): VaultError {
  return invalidRequest(detail, `/${name}`, `${fault} (header)`)
}

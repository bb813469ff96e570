import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Caller } from '../../domain/caller.ts'
import { allows } from '../../domain/caller.ts'
import type { Reading } from '../../domain/token-store.ts'
import type { Vault } from '../../vault/vault.ts'
import * as operations from '../operations.ts'
import { callerOf, requireScope } from '../plugins/scopes.ts'
import {
  cursorOf,
  toDeleteFilter,
  toIfVersion,
  toPage,
  toPartialToken,
  toSaveRequest,
} from '../token-requests.ts'
import { tokenView } from '../token-view.ts'

/** Find, get, save, list, delete and refresh. */
export const tokenRoutes: FastifyPluginCallbackTypebox<{ vault: Vault }> = (app, { vault }, done) => {
  const view = (caller: Caller, reading: Reading, secrets = true) =>
    tokenView(caller, reading, { refreshable: vault.isRefreshable(reading.token), secrets })

  /** The answer to a caller; where it discloses the access token, that is noted. */
  const disclose = (caller: Caller, reading: Reading) => {
    if (allows(caller, 'tokens:use')) vault.noteUse(reading)
    return view(caller, reading)
  }

  app.post('/tokens/find', { schema: operations.findToken }, async (request, reply) => {
    const caller = callerOf(request)
    const minTtl = minTtlOf(caller, request.body.min_ttl)
    const found = await vault.find(caller, toPartialToken(request.body), minTtl)
    return reply.header('etag', etagOf(found)).send(disclose(caller, found))
  })

  app.get('/tokens/:id', { schema: operations.getToken }, async (request, reply) => {
    const caller = callerOf(request)
    const minTtl = minTtlOf(caller, request.query.min_ttl)
    const reading = await vault.get(caller, request.params.id, minTtl)
    return reply.header('etag', etagOf(reading)).send(disclose(caller, reading))
  })

  app.post('/tokens', { schema: operations.saveToken }, async (request, reply) => {
    const caller = callerOf(request)
    const ifVersion = toIfVersion(request.headers['if-match'])
    const saved = await vault.save(caller, toSaveRequest(request.body), ifVersion)
    return reply
      .status(saved.created ? 201 : 200)
      .header('location', `/v1/tokens/${encodeURIComponent(saved.token.id)}`)
      .header('etag', etagOf(saved))
      .send(view(caller, saved))
  })

  app.delete('/tokens/:id', { schema: operations.deleteToken }, async (request, reply) => {
    await vault.delete(callerOf(request), request.params.id, toIfVersion(request.headers['if-match']))
    return reply.status(204).send(null)
  })

  app.get('/tokens', { schema: operations.listTokens }, async (request) => {
    const caller = callerOf(request)
    const page = toPage(request.query)
    // One more than asked for tells whether there is another page.
    const { tokens: found, now } = await vault.list(caller, { ...page, limit: page.limit + 1 })
    const tokens = found.slice(0, page.limit)
    const secrets = request.query.include === 'secrets'
    const last = found.length > page.limit ? tokens.at(-1) : undefined
    return {
      tokens: tokens.map((token) => view(caller, { token, now }, secrets)),
      ...(last && { next_cursor: cursorOf(last.id) }),
    }
  })

  app.delete('/tokens', { schema: operations.deleteTokens }, async (request) => {
    const deleted = await vault.deleteMany(callerOf(request), toDeleteFilter(request.query))
    return { deleted }
  })

  app.post('/tokens/:id/refresh', { schema: operations.refreshToken }, async (request, reply) => {
    const caller = callerOf(request)
    const reading = await vault.refresh(caller, request.params.id)
    return reply.header('etag', etagOf(reading)).send(disclose(caller, reading))
  })
  done()
}

/** Asking for life asks for the access token. */
function minTtlOf(caller: Caller, minTtl: number | null | undefined): number | null {
  if (minTtl == null) return null
  requireScope(caller, 'tokens:use')
  return minTtl
}

function etagOf({ token }: Reading): string {
  return `"${token.version}"`
}

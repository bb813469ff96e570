import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Caller } from '../../domain/caller.ts'
import type { Vault } from '../../vault/vault.ts'
import * as operations from '../operations.ts'
import { ledgerOf } from '../plugins/audit.ts'
import { callerOf, requireScope } from '../plugins/authentication.ts'
import { announceSaved, createTokenAnswers, etagOf } from '../token-answers.ts'
import { toDeleteFilter, toIfVersion, toPage, toPartialToken, toSaveRequest } from '../token-requests.ts'

/** Find, get, save, list and delete. */
export const tokenRoutes: FastifyPluginCallbackTypebox<{ vault: Vault }> = (app, { vault }, done) => {
  const { show, disclose, list } = createTokenAnswers(vault)

  app.post('/tokens/find', { schema: operations.findToken }, async (request, reply) => {
    const caller = callerOf(request)
    const minTtl = minTtlOf(caller, request.body.min_ttl)
    const found = await vault.find(caller, toPartialToken(request.body), minTtl)
    reply.header('etag', etagOf(found))
    return disclose(request, found)
  })

  app.get('/tokens/:id', { schema: operations.getToken }, async (request, reply) => {
    const caller = callerOf(request)
    const minTtl = minTtlOf(caller, request.query.min_ttl)
    const reading = await vault.get(caller, request.params.id, minTtl)
    reply.header('etag', etagOf(reading))
    return disclose(request, reading)
  })

  app.post('/tokens', { schema: operations.saveToken }, async (request, reply) => {
    const caller = callerOf(request)
    const ifVersion = toIfVersion(request.headers['if-match'])
    const saved = await vault.save(caller, toSaveRequest(request.body), ifVersion)
    const { token, absorbedId } = saved
    if (absorbedId !== null) ledgerOf(request).note({ tokenId: token.id, absorbed: absorbedId })
    announceSaved(reply, saved)
    return show(request, saved)
  })

  app.delete('/tokens/:id', { schema: operations.deleteToken }, async (request, reply) => {
    await vault.delete(callerOf(request), request.params.id, toIfVersion(request.headers['if-match']))
    reply.status(204)
    return null
  })

  app.get('/tokens', { schema: operations.listTokens }, async (request) => {
    const caller = callerOf(request)
    const page = toPage(caller, request.query)
    const listed = await vault.list(caller, page)
    return {
      tokens: list(request, listed, page.secrets),
      ...(listed.next !== null && { next_cursor: listed.next }),
    }
  })

  app.delete('/tokens', { schema: operations.deleteTokens }, async (request) => {
    const deleted = await vault.deleteMany(callerOf(request), toDeleteFilter(request.query))
    ledgerOf(request).note({ count: deleted })
    return { deleted }
  })
  done()
}

/** Asking for life asks for the access token. */
function minTtlOf(caller: Caller, minTtl: number | null | undefined): number | null {
  if (minTtl == null) return null
  requireScope(caller, 'tokens:use')
  return minTtl
}

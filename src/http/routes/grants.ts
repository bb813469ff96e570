import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Vault } from '../../vault/vault.ts'
import * as operations from '../operations.ts'
import { callerOf } from '../plugins/authentication.ts'
import { announceSaved, createTokenAnswers, etagOf } from '../token-answers.ts'
import { toCodeToExchange, toIfVersion } from '../token-requests.ts'

/** What goes to the provider at once, and tells what it said: refresh, exchange and revoke. */
export const grantRoutes: FastifyPluginCallbackTypebox<{ vault: Vault }> = (app, { vault }, done) => {
  const { disclose } = createTokenAnswers(vault)

  app.post('/tokens/:id/refresh', { schema: operations.refreshToken }, async (request, reply) => {
    const ifVersion = toIfVersion(request.headers['if-match'])
    const reading = await vault.refresh(callerOf(request), request.params.id, ifVersion)
    reply.header('etag', etagOf(reading))
    return disclose(request, reading)
  })

  app.post('/tokens/exchange', { schema: operations.exchangeCode }, async (request, reply) => {
    const exchanged = await vault.exchange(callerOf(request), toCodeToExchange(request.body))
    announceSaved(reply, exchanged)
    return disclose(request, exchanged)
  })

  app.post('/tokens/:id/revoke', { schema: operations.revokeToken }, async (request, reply) => {
    await vault.revoke(callerOf(request), request.params.id, toIfVersion(request.headers['if-match']))
    reply.status(204)
    return null
  })
  done()
}

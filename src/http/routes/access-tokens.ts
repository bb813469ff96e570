import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { AccessToken } from '../../contract/tokens.ts'
import type { Reading } from '../../domain/token-store.ts'
import type { Vault } from '../../vault/vault.ts'
import * as operations from '../operations.ts'
import { ledgerOf } from '../plugins/audit.ts'
import { callerOf } from '../plugins/authentication.ts'
import { toPartialToken } from '../token-requests.ts'
import { accessTokenView } from '../token-view.ts'

const DEFAULT_MIN_TTL = 60

/** Nothing but an access token that works: all that most applications need. */
export const accessTokenRoutes: FastifyPluginCallbackTypebox<{ vault: Vault }> = (app, { vault }, done) => {
  const disclose = (request: FastifyRequest, reading: Reading): AccessToken => {
    const view = accessTokenView(reading, ledgerOf(request))
    if (view.access_token !== '') vault.noteUse(reading)
    return view
  }

  app.get('/tokens/:id/access-token', { schema: operations.getAccessToken }, async (request) => {
    const minTtl = request.query.min_ttl ?? DEFAULT_MIN_TTL
    return disclose(request, await vault.get(callerOf(request), request.params.id, minTtl, 'access_token'))
  })

  app.post('/access-token', { schema: operations.findAccessToken }, async (request) => {
    const minTtl = request.body.min_ttl ?? DEFAULT_MIN_TTL
    return disclose(
      request,
      await vault.find(callerOf(request), toPartialToken(request.body), minTtl, 'access_token'),
    )
  })
  done()
}

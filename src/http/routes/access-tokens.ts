import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { AccessToken } from '../../contract/tokens.ts'
import type { Reading } from '../../domain/token-store.ts'
import type { Vault } from '../../vault/vault.ts'
import * as operations from '../operations.ts'
import { callerOf } from '../plugins/scopes.ts'
import { toPartialToken } from '../token-requests.ts'
import { accessTokenView } from '../token-view.ts'

const DEFAULT_MIN_TTL = 60

/** Nothing but an access token that works: all that most applications need. */
export const accessTokenRoutes: FastifyPluginCallbackTypebox<{ vault: Vault }> = (app, { vault }, done) => {
  const disclose = (reading: Reading): AccessToken => {
    vault.noteUse(reading)
    return accessTokenView(reading)
  }

  app.get('/tokens/:id/access-token', { schema: operations.getAccessToken }, async (request) => {
    const minTtl = request.query.min_ttl ?? DEFAULT_MIN_TTL
    return disclose(await vault.get(callerOf(request), request.params.id, minTtl))
  })

  app.post('/access-token', { schema: operations.findAccessToken }, async (request) => {
    const minTtl = request.body.min_ttl ?? DEFAULT_MIN_TTL
    return disclose(await vault.find(callerOf(request), toPartialToken(request.body), minTtl))
  })
  done()
}

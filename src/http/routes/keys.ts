import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Key } from '../../contract/keys.ts'
import type { ApiKey } from '../../domain/api-key.ts'
import type { ApiKeys } from '../../vault/api-keys.ts'
import { toKeyRequest } from '../key-requests.ts'
import * as operations from '../operations.ts'
import { ledgerOf } from '../plugins/audit.ts'
import { callerOf } from '../plugins/authentication.ts'

/** The keys of the caller's namespace. */
export const keyRoutes: FastifyPluginCallbackTypebox<{ apiKeys: ApiKeys }> = (app, { apiKeys }, done) => {
  app.post('/keys', { schema: operations.createKey }, async (request, reply) => {
    const { apiKey, key } = await apiKeys.create(callerOf(request), toKeyRequest(request.body))
    const [shown] = ledgerOf(request).disclose([{ keyId: apiKey.id, secrets: { key } }])
    reply.status(201)
    return { ...keyView(apiKey), key: shown?.['key'] ?? '' }
  })

  app.get('/keys', { schema: operations.listKeys }, async (request) => {
    const keys = await apiKeys.list(callerOf(request))
    return { keys: keys.map(keyView) }
  })

  app.delete('/keys/:id', { schema: operations.revokeKey }, async (request, reply) => {
    await apiKeys.revoke(callerOf(request), request.params.id)
    reply.status(204)
    return null
  })
  done()
}

function keyView({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: ApiKey): Key {
  return {
    id,
    name,
    scopes,
    created_at: createdAt.toISOString(),
    ...(expiresAt && { expires_at: expiresAt.toISOString() }),
    ...(lastUsedAt && { last_used_at: lastUsedAt.toISOString() }),
  }
}

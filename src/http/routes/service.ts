import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { StartupError, storageUnavailable } from '../../domain/errors.ts'
import type { SendDocument } from '../openapi.ts'
import * as operations from '../operations.ts'

/** Can this replica serve? Rejects with what is in the way. */
export type Readiness = () => Promise<void>

/** What the service says of itself, to anybody. */
export const serviceRoutes: FastifyPluginCallbackTypebox<{ ready: Readiness; sendDocument: SendDocument }> = (
  app,
  { ready, sendDocument },
  done,
) => {
  app.get('/healthz', { schema: operations.healthz }, () => ({ status: 'ok' as const }))

  app.get('/readyz', { schema: operations.readyz }, async (request) => {
    try {
      await ready()
    } catch (cause) {
      if (cause instanceof StartupError)
        request.log.error({ request_id: request.id, faults: cause.faults }, 'not ready')
      throw storageUnavailable('The vault cannot serve just now.', cause)
    }
    return { status: 'ok' as const }
  })

  app.get('/openapi.json', { schema: operations.openapi }, (_request, reply) => sendDocument(reply))
  done()
}

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import * as operations from '../operations.ts'

/** Resolves with what is counted, in the text format of Prometheus. */
export type MetricsText = () => Promise<string>

export const metricsRoute: FastifyPluginCallbackTypebox<{ metrics: MetricsText }> = (
  app,
  { metrics },
  done,
) => {
  app.get('/metrics', { schema: operations.metrics }, async (_request, reply) => {
    reply.type(operations.METRICS_TYPE)
    return metrics()
  })
  done()
}

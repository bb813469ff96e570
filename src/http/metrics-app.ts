import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { createServer } from './create-server.ts'
import { closeConnections } from './plugins/closing-connections.ts'
import { refuseUnrouted } from './plugins/unrouted.ts'
import type { MetricsText } from './routes/metrics.ts'
import { metricsRoute } from './routes/metrics.ts'

/** The metrics and nothing else, for a port of their own. */
export async function createMetricsApp(
  metrics: MetricsText,
  logger: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const app = await createServer(logger)
  closeConnections(app)
  refuseUnrouted(app)
  await app.register(metricsRoute, { metrics })
  return app
}

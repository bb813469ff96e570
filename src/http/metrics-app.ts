import Fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { answerProblems } from './plugins/problems.ts'
import type { MetricsText } from './routes/metrics.ts'
import { metricsRoute } from './routes/metrics.ts'

/** The metrics and nothing else, for a port of their own. */
export async function createMetricsApp(
  metrics: MetricsText,
  loggerInstance: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const app = Fastify({ loggerInstance, logController: new LogController({ disableRequestLogging: true }) })
  answerProblems(app)
  await app.register(metricsRoute, { metrics })
  return app
}

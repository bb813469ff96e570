import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { AuditTrail } from '../domain/audit.ts'
import type { Clock } from '../domain/clock.ts'
import type { RequestObserver } from '../domain/observer.ts'
import type { ApiKeys } from '../vault/api-keys.ts'
import type { Authenticator } from '../vault/authenticator.ts'
import type { DisclosureBudget } from '../vault/disclosure-budget.ts'
import type { History } from '../vault/history.ts'
import type { Vault } from '../vault/vault.ts'
import { createServer } from './create-server.ts'
import { describeRoutes } from './openapi.ts'
import { auditAnswers } from './plugins/audit.ts'
import { authenticateCallers, guardRoutes } from './plugins/authentication.ts'
import { createFailureDelay, limitRequests } from './plugins/brakes.ts'
import { closeConnections } from './plugins/closing-connections.ts'
import { parseJsonOnly } from './plugins/json-only.ts'
import { refuseMalformedQuery } from './plugins/malformed-query.ts'
import { refuseUnusedConditions } from './plugins/odd-headers.ts'
import { answerToBrokenRequest, createRequestLog, logAnswers } from './plugins/request-log.ts'
import { refuseUnrouted } from './plugins/unrouted.ts'
import { refuseUnwantedBodies } from './plugins/unwanted-bodies.ts'
import { accessTokenRoutes } from './routes/access-tokens.ts'
import { eventRoutes } from './routes/events.ts'
import { grantRoutes } from './routes/grants.ts'
import { keyRoutes } from './routes/keys.ts'
import type { MetricsText } from './routes/metrics.ts'
import { metricsRoute } from './routes/metrics.ts'
import type { Readiness } from './routes/service.ts'
import { serviceRoutes } from './routes/service.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { compileValidator } from './validation.ts'

export interface AppOptions {
  vault: Vault
  apiKeys: ApiKeys
  history: History
  authenticator: Authenticator
  audit: AuditTrail
  budget: DisclosureBudget
  /** Requests a second of one key; null: without a limit. */
  rateLimit: number | null
  clock: Clock
  observer: RequestObserver
  ready: Readiness
  /** Null: they are served elsewhere. */
  metrics: MetricsText | null
  logger: FastifyBaseLogger
  version: string
  /** Serve HTTPS; with a client CA, only to clients with a certificate of it. */
  tls: { cert: string; key: string; clientCa: string | null } | null
}

const BODY_LIMIT_BYTES = 64 * 1024
/** More than Node lets a request line hold: the schema judges an id and names it, not the router. */
const MOST_PARAMETER_LENGTH = 64 * 1024

/** The service over HTTP, for production and for tests. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const logAnswer = createRequestLog(options.logger, options.observer)
  const app = await createServer(options.logger, {
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: MOST_PARAMETER_LENGTH },
    https: options.tls && httpsOptions(options.tls),
    onBrokenRequest(answer) {
      logAnswer(answerToBrokenRequest(answer))
    },
  })
  app.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(compileValidator)
  closeConnections(app)
  logAnswers(app, logAnswer)
  parseJsonOnly(app)
  refuseMalformedQuery(app)
  refuseUnrouted(app)
  refuseUnwantedBodies(app)
  authenticateCallers(app, options.authenticator, createFailureDelay(options.clock))
  auditAnswers(app, { ...options, trail: options.audit })
  limitRequests(app, options.rateLimit, options.clock)
  guardRoutes(app)
  refuseUnusedConditions(app)
  const sendDocument = await describeRoutes(app, options.version)
  await app.register(tokenRoutes, { prefix: '/v1', vault: options.vault })
  await app.register(grantRoutes, { prefix: '/v1', vault: options.vault })
  await app.register(accessTokenRoutes, { prefix: '/v1', vault: options.vault })
  await app.register(eventRoutes, { prefix: '/v1', history: options.history })
  await app.register(keyRoutes, { prefix: '/v1', apiKeys: options.apiKeys })
  await app.register(serviceRoutes, { ready: options.ready, sendDocument })
  if (options.metrics !== null) await app.register(metricsRoute, { metrics: options.metrics })
  return app
}

function httpsOptions({ cert, key, clientCa }: NonNullable<AppOptions['tls']>) {
  return {
    cert,
    key,
    ...(clientCa !== null && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  }
}

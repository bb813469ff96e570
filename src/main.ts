import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { openAudit } from './backing/open-audit.ts'
import type { Backing } from './backing/open-backing.ts'
import { openBacking } from './backing/open-backing.ts'
import { openKeyring } from './backing/open-keyring.ts'
import type { Pools } from './backing/open-pools.ts'
import { openPools } from './backing/open-pools.ts'
import { prepareSchema } from './backing/prepare-schema.ts'
import { waitForDatabase } from './backing/wait-for-database.ts'
import type { Config } from './config/config.ts'
import { KEY_CACHE_MS } from './crypto/keyring.ts'
import type { AuditTrail } from './domain/audit.ts'
import type { Keyring } from './domain/keyring.ts'
import type { Providers } from './domain/provider.ts'
import type { Secret } from './domain/secret.ts'
import { createApp } from './http/app.ts'
import { listen } from './http/listen.ts'
import { createMetricsApp } from './http/metrics-app.ts'
import { clock } from './process/clock.ts'
import { giveBackMemory } from './process/give-back-memory.ts'
import { shareAnswers } from './process/share-answers.ts'
import { VERSION } from './process/version.ts'
import { loadProviders } from './providers/load-providers.ts'
import { createProviders } from './providers/providers.ts'
import { createApiKeyStore } from './store/api-key-store.ts'
import { createCodeStore } from './store/code-store.ts'
import { createEventStore } from './store/event-store.ts'
import { checkSchemaSuffices } from './store/migrate.ts'
import { DEFAULT_NAMESPACE, ensureNamespace } from './store/namespaces.ts'
import { createPostgresTokenStore } from './store/postgres-token-store.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createEndpointObserver, createObserver, createRequestObserver } from './telemetry/observer.ts'
import { createApiKeys } from './vault/api-keys.ts'
import { createAuthenticator } from './vault/authenticator.ts'
import { createDisclosureBudget } from './vault/disclosure-budget.ts'
import { createEventSweeper } from './vault/event-sweeper.ts'
import { createExchanges } from './vault/exchanges.ts'
import { createHeadStart } from './vault/head-start.ts'
import { createHistory } from './vault/history.ts'
import { createPlaces } from './vault/places.ts'
import { createRefresher } from './vault/refresher.ts'
import { createRenewals } from './vault/renewals.ts'
import { createRevocations } from './vault/revocations.ts'
import { createVault } from './vault/vault.ts'

/** A service that serves. */
export interface Service {
  url: string
  /** Where an embedded Postgres keeps the data; null for one that the operator runs. */
  embeddedIn: string | null
  /** The first API key, at the start that generated it. */
  newKey: Secret | null
  /** Stops taking requests, finishes those under way and what is in flight to providers, and stops what it started. */
  close(): Promise<void>
}

interface Parts {
  config: Config
  log: Logger
  metrics: Metrics
  providers: Providers
  backing: Backing
  audit: AuditTrail
  pools: Pools
  keyCacheMs: number
}

type App = Awaited<ReturnType<typeof createApp>>

/**
 * Composes the service and starts it.
 * @throws StartupError with what the operator has to mend
 */
export async function serve(
  config: Config,
  log: Logger,
  ephemeral: boolean,
  keyCacheMs = KEY_CACHE_MS,
): Promise<Service> {
  const counted = createMetrics()
  const metrics = { ...counted, text: shareAnswers(counted.text, clock) }
  const observer = createEndpointObserver(log, metrics)
  const providers = createProviders(loadProviders(config.providers), { observer })
  const backing = await openBacking(config, ephemeral)
  const pools = openPools(backing, log)
  let audit: AuditTrail | null = null
  try {
    await waitForDatabase(pools.callers)
    await prepareSchema(pools.callers, backing)
    audit = await openAudit({ file: config.auditLog, masterKeys: backing.masterKeys })
    return await compose({ config, log, metrics, providers, backing, audit, pools, keyCacheMs })
  } catch (error) {
    await Promise.allSettled([pools.close(), audit?.close()])
    await backing.close()
    throw error
  }
}

async function compose(parts: Parts): Promise<Service> {
  const { config, log, metrics, backing, audit, pools } = parts
  const { keyring, checkKeys } = await openServiceKeyring(parts)
  const namespaceId = await ensureNamespace(pools.callers.db, DEFAULT_NAMESPACE)
  await keyring.keysOf(namespaceId)
  const composed = composeVault(parts, keyring)
  const { vault, history, refresher, sweeper } = composed
  const bootstrap = backing.bootstrapKey()
  const apiKeyStore = createApiKeyStore(pools.callers.db)
  const { key } = bootstrap
  const checkWell = shareAnswers(() => checkReady(parts, checkKeys), clock)
  let stopping = false
  const app = await createApp({
    vault,
    apiKeys: createApiKeys(apiKeyStore),
    history,
    authenticator: createAuthenticator({ store: apiKeyStore, clock, bootstrap: { key, namespaceId } }),
    audit,
    budget: createDisclosureBudget(config.disclosureBudget, clock),
    rateLimit: config.rateLimit,
    clock,
    observer: createRequestObserver(metrics),
    async ready() {
      if (stopping) throw new Error('the service is stopping')
      await checkWell()
    },
    metrics: config.metricsPort === null ? metrics.text : null,
    logger: log,
    version: VERSION,
    tls: config.tls,
  })
  const { url, metricsApp } = await openPorts(app, parts, bootstrap.keep)
  if (config.refresher) refresher.start()
  sweeper.start()
  return {
    url,
    embeddedIn: backing.embeddedIn,
    newKey: bootstrap.isNew ? key : null,
    async close() {
      stopping = true
      await closeService(parts, { ...composed, app, metricsApp })
    },
  }
}

interface Running extends ReturnType<typeof composeVault> {
  app: App
  metricsApp: App | null
}

/** First whatever asks for work, then the work under way, and last what that stands on. */
async function closeService(parts: Parts, running: Running): Promise<void> {
  const { refresher, sweeper, app, metricsApp, renewals, exchanges, revocations } = running
  refresher.stop()
  sweeper.stop()
  await app.close()
  await Promise.all([renewals.close(), exchanges.close(), revocations.close()])
  await Promise.all([closeStorage(parts), metricsApp?.close()]).finally(() => parts.backing.close())
}

/** The audit log last: of a change whose caller has left it hears in the turn behind it. */
async function closeStorage({ pools, audit }: Parts): Promise<void> {
  try {
    await pools.close()
    await nextTurn()
  } finally {
    await audit.close()
  }
}

/** What callers and the refresher can do, over the storage and the providers. */
function composeVault(parts: Parts, keyring: Keyring) {
  const { config, log, metrics, providers, audit } = parts
  const { callers, renewing } = parts.pools
  const owner = `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`
  const store = createPostgresTokenStore({ callers: callers.db, renewals: renewing.db, keyring, owner })
  const policy = { marginSeconds: config.refreshMarginSeconds, random: Math.random }
  const observer = createObserver(log, metrics, audit)
  const sending = { store, providers, policy, clock, observer }
  const places = createPlaces(config.refreshConcurrency)
  const headStart = createHeadStart(clock)
  const renewals = createRenewals({ ...sending, places, headStart })
  const exchanges = createExchanges({ ...sending, headStart, codes: createCodeStore(callers.db, keyring) })
  const revocations = createRevocations({ store, providers, clock })
  const refresher = createRefresher({ renewals, places, clock, observer })
  const vault = createVault({ store, providers, renewals, exchanges, revocations, policy, clock })
  const history = createHistory(createEventStore(callers.db), store)
  const sweeper = createEventSweeper({
    events: createEventStore(renewing.db),
    days: config.eventsDays,
    clock,
    random: Math.random,
    observer,
  })
  return { vault, history, refresher, sweeper, renewals, exchanges, revocations }
}

/** The port of the metrics, where they have one of their own, and that of the callers. Where one cannot be had, none. */
async function openPorts(app: App, { config, log, metrics }: Parts, keepKey: () => void) {
  const { host, port, metricsPort } = config
  let metricsApp: App | null = null
  try {
    if (metricsPort !== null) {
      metricsApp = await createMetricsApp(metrics.text, log)
      const url = await listen(metricsApp, { host, port: metricsPort, variable: 'TOKEN_VAULT_METRICS_PORT' })
      log.info({ url }, 'serving metrics')
    }
    // What a request is checked and answered with is compiled only then.
    await app.ready()
    giveBackMemory()
    const url = await listen(app, { host, port, variable: 'PORT' })
    // A start that fails shows no key: the next one has to make it, and show it.
    keepKey()
    return { metricsApp, url }
  } catch (error) {
    await Promise.all([app.close(), metricsApp?.close()])
    throw error
  }
}

/** The log tells of a master key that turns out to be missing later. */
function openServiceKeyring({ log, backing, pools, keyCacheMs }: Parts) {
  return openKeyring(pools.keys.db, backing.masterKeys, {
    cacheMs: keyCacheMs,
    onLocked({ masterKeyId, message }) {
      log.error({ master_key_id: masterKeyId }, message)
    },
  })
}

/** Not over the callers' connections: a crowd of them is no reason to be taken out of service. */
async function checkReady({ pools: { keys }, audit }: Parts, checkKeys: () => Promise<void>): Promise<void> {
  await keys.ping()
  await checkSchemaSuffices(keys.db)
  await checkKeys()
  await audit.record([])
}

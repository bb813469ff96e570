import type { Logger } from 'pino'
import type { AuditTrail } from '../domain/audit.ts'
import type {
  EndpointObserver,
  ExchangeObserver,
  RenewalObserver,
  RequestObserver,
  SweepObserver,
} from '../domain/observer.ts'
import type { RenewalOutcome } from '../domain/renewal-outcome.ts'
import { FAILURE_CODES } from '../domain/renewal-outcome.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Metrics } from './metrics.ts'

/** What the vault does by itself: told by the log, counted, and where it is a change written to the audit log. */
export function createObserver(
  log: Logger,
  metrics: Metrics,
  audit: AuditTrail,
): RenewalObserver & ExchangeObserver & SweepObserver {
  return {
    renewalSettled({ ref, provider, outcome, stored, ms }) {
      const line = { token_id: ref.id, provider, outcome: codeOf(outcome), stored, ms: Math.round(ms) }
      if (outcome === 'renewed') log.info(line, 'renewed')
      else log.warn(line, 'renewal failed')
      const code = stored ? line.outcome : 'dropped'
      metrics.renewals.inc({ provider, outcome: code })
      metrics.renewalSeconds.observe({ provider }, ms / 1000)
      const entry = { namespaceId: ref.namespaceId, actor: REFRESHER, tokenId: ref.id } as const
      audit.record([{ ...entry, action: 'token.renewed', outcome: code }]).catch((error: unknown) => {
        // What is renewed is stored: nobody has seen it, and to give it up would lose the token.
        log.error({ token_id: ref.id, err: error }, 'a renewal is missing in the audit log')
      })
    },
    clientPaused({ ref, provider, clientId, pause }) {
      const line = { token_id: ref.id, provider, client_id: clientId, ...pause }
      metrics.clientPauses.inc({ provider, reason: pause.reason })
      if (pause.reason === 'mass_failure')
        log.error(line, 'many tokens of a client die at once: it is paused')
      else log.warn(line, 'the provider refuses a client: it is paused')
    },
    renewalNotStored(ref, error) {
      log.error({ token_id: ref.id, err: error }, 'a renewal waits for the storage')
      metrics.renewalStoreFailures.inc()
    },
    renewalEndedWithoutOutcome(ref, error) {
      log.warn({ token_id: ref.id, err: error }, 'a renewal ended without an outcome')
    },
    exchangeSettled({ namespaceId, provider, outcome, ms }) {
      const line = { namespace_id: namespaceId, provider, outcome, ms: Math.round(ms) }
      if (outcome === 'ok') log.info(line, 'exchanged')
      else log.warn(line, 'exchange failed')
      metrics.exchanges.inc({ provider, outcome })
    },
    exchangeEndedLate({ ref: { namespaceId, id: tokenId }, actor }) {
      const entry = { namespaceId, actor, action: 'token.exchanged', tokenId, outcome: 'ok' } as const
      audit.record([entry]).catch((error: unknown) => {
        log.error({ token_id: tokenId, err: error }, 'an exchange is missing in the audit log')
      })
    },
    exchangeNotStored(namespaceId, error) {
      log.error({ namespace_id: namespaceId, err: error }, 'an exchange waits for the storage')
    },
    refresherFailed(error) {
      log.warn({ err: error }, 'the refresher could not look for due tokens')
      metrics.refresherFailures.inc()
    },
    eventsSwept(deleted) {
      if (deleted > 0) log.info({ deleted }, 'old events are deleted')
    },
    sweepFailed(error) {
      log.warn({ err: error }, 'old events could not be deleted')
    },
  }
}

/** What becomes of providers' endpoints. */
export function createEndpointObserver(log: Logger, { openBreakers }: Metrics): EndpointObserver {
  return {
    breakerOpened(endpoint) {
      log.error(endpoint, 'a provider does not answer: requests to it are held back')
      openBreakers.set({ ...endpoint }, 1)
    },
    breakerClosed(endpoint) {
      log.info(endpoint, 'a provider answers again')
      openBreakers.set({ ...endpoint }, 0)
    },
    addressRefused({ host, addresses }) {
      log.error({ host, addresses }, 'a provider was not connected to: no address of its host is allowed')
    },
  }
}

/** What callers ask for. */
export function createRequestObserver({ requests, requestSeconds, brakeRefusals }: Metrics): RequestObserver {
  return {
    answered({ method, route, code, ms }) {
      const labels = { method: method ?? 'other', route: route ?? 'none' }
      requests.inc({ ...labels, code })
      if (method !== null) requestSeconds.observe(labels, ms / 1000)
    },
    braked(brake) {
      brakeRefusals.inc({ brake })
    },
  }
}

/**
 * Outcomes under the names that a token's `last_error` and its events have for them; but `paused`, where those say what
 * the client is paused for: `client_refused` or `mass_failure`.
 */
function codeOf(outcome: RenewalOutcome['kind']): string {
  if (outcome === 'renewed') return 'ok'
  return outcome === 'paused' ? outcome : FAILURE_CODES[outcome]
}

import type { Logger } from 'pino'
import type { Observer } from '../domain/observer.ts'

/** What the vault does by itself, as lines of the log. */
export function createLogObserver(log: Logger): Observer {
  return {
    renewalSettled({ ref, provider, outcome, stored, ms }) {
      const line = { token_id: ref.id, provider, outcome, stored, ms: Math.round(ms) }
      if (outcome === 'renewed') log.info(line, 'renewed')
      else log.warn(line, 'renewal failed')
    },
    renewalNotStored(ref, error) {
      log.error({ token_id: ref.id, err: error }, 'a renewal waits for the storage')
    },
    refresherFailed(error) {
      log.warn({ err: error }, 'the refresher could not look for due tokens')
    },
  }
}

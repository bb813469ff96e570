import type { Caller } from '../domain/caller.ts'
import { invalidRequest, stopping, VaultError } from '../domain/errors.ts'
import type { CodeRef, CodeToExchange } from '../domain/exchange.ts'
import type { ExchangeObserver } from '../domain/observer.ts'
import type { Provider, Providers } from '../domain/provider.ts'
import { fullLeaseSeconds } from '../domain/renewal.ts'
import { createSingleFlight } from '../domain/single-flight.ts'
import type { HeadStart } from './head-start.ts'
import { inTime } from './in-time.ts'
import { checkApiDomain } from './plan-save.ts'
import type { Exchanged, ExchangeParts, ExchangeTask } from './trade-code.ts'
import { checkUser, findTraded, readTraded, tradeCode } from './trade-code.ts'
import { createTracker } from './tracker.ts'

/** The exchanges of this replica: one of each code at a time. */
export interface Exchanges {
  /**
   * Trades a code once, however many ask, on whichever replica: the others wait for its outcome. The work belongs to
   * nobody: it goes on when the caller has left.
   */
  exchange(caller: Caller, code: CodeToExchange): Promise<Exchanged>
  /** Trades nothing any more; resolves when what was claimed is settled. */
  close(): Promise<void>
}

export interface ExchangesParts extends ExchangeParts {
  headStart: HeadStart
}

const PEER_POLL_MS = 50

export function createExchanges(parts: ExchangesParts): Exchanges {
  const { codes, providers, clock, policy, observer, headStart } = parts
  /** Callers of one code share one attempt. */
  const share = createSingleFlight<Exchanged>()
  const { track, allDone } = createTracker()
  let closed = false

  /**
   * Waits for the claim in one's way, or for its token, where its owner died behind it; with a failure it ends for all.
   * Null where it has ended without a word.
   */
  const awaitClaim = async (task: ExchangeTask, ref: CodeRef): Promise<Exchanged | null> => {
    for (;;) {
      const state = await codes.read(ref)
      if (state instanceof VaultError) throw state
      if (state !== null && state !== 'under_way') return readTraded(parts, task, state)
      await clock.sleep(PEER_POLL_MS * (1 + policy.random()))
      if (closed) throw stopping()
      const traded = state === null ? null : await findTraded(parts, task)
      if (traded !== null || state === null) return traded
    }
  }
  /** Check, claim, check again: whoever does not get the claim waits for the one who has it. */
  const trade = async (task: ExchangeTask, ref: CodeRef): Promise<Exchanged> => {
    for (;;) {
      const traded = await findTraded(parts, task)
      if (traded !== null) return traded
      const startedMs = clock.monotonicMs()
      const options = { leaseSeconds: fullLeaseSeconds(task.provider), takeOver: headStart.isOver() }
      const claim = await headStart.watch(codes.claim(ref, options))
      if (claim !== null) return tradeCode(parts, task, claim, startedMs)
      const peers = await awaitClaim(task, ref)
      if (peers !== null) return peers
    }
  }

  return {
    async exchange(caller, code) {
      const task = { caller, code, provider: knownProvider(providers, code) }
      const ref = refOf(task)
      let isShared = true
      const work = share(keyOf(ref), () => {
        if (closed) throw stopping()
        isShared = false
        return track(trade(task, ref))
      })
      const own = (exchanged: Exchanged) => (isShared ? tradedForAnother(exchanged, code) : exchanged)
      const exchanged = await inTime(clock, work)
      if (exchanged !== 'late') return own(exchanged)
      tellOfLate(observer, caller, work.then(own))
      throw tooLate()
    },
    async close() {
      closed = true
      await allDone()
    },
  }
}

function refOf({ caller: { namespaceId }, code }: ExchangeTask): CodeRef {
  const { provider, clientId, grantToken } = code
  return { namespaceId, provider, clientId, grantToken }
}

const keyOf = ({ namespaceId, provider, clientId, grantToken }: CodeRef) =>
  JSON.stringify([namespaceId, provider, clientId, grantToken.reveal()])

function knownProvider(providers: Providers, { provider: name, apiDomain }: CodeToExchange): Provider {
  checkApiDomain(apiDomain, name, providers)
  const provider = providers.find(name)
  if (provider !== null) return provider
  const known = providers.all().map((each) => each.name)
  throw invalidRequest(
    'The provider is unknown.',
    '/provider',
    `is not configured; known are ${known.join(', ')}`,
  )
}

/** @throws VaultError where the other caller's user is not this one's */
function tradedForAnother(exchanged: Exchanged, code: CodeToExchange): Exchanged {
  checkUser(exchanged.token, code)
  return { ...exchanged, created: false }
}

/** Nobody waits for it any more: what the vault comes to have is told all the same. */
function tellOfLate(observer: ExchangeObserver, { keyId: actor }: Caller, work: Promise<Exchanged>): void {
  const tell = ({ token: ref }: Exchanged) => {
    observer.exchangeEndedLate({ ref, actor })
  }
  work.then(tell, () => undefined)
}

function tooLate(): VaultError {
  const detail = 'The provider has not answered in time. The exchange goes on: ask again with the same code.'
  return new VaultError('provider_unavailable', detail, { retryAfterSeconds: 1 })
}

import { VaultError } from '../../src/domain/errors.ts'
import type { Providers } from '../../src/domain/provider.ts'
import { renewalTerms, sendWithinSeconds } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { TokenRef } from '../../src/domain/token.ts'
import type { ProviderSettings } from '../../src/providers/provider-settings.ts'
import { createProviders } from '../../src/providers/providers.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { createPlaces } from '../../src/vault/places.ts'
import type { Renewals } from '../../src/vault/renewals.ts'
import { createRenewals } from '../../src/vault/renewals.ts'
import { createRevocations } from '../../src/vault/revocations.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { createVault } from '../../src/vault/vault.ts'
import type { Memory } from '../support/memory-store/memory.ts'
import { createMemoryTokenStore } from '../support/memory-store/memory-token-store.ts'
import { createFaultySend } from './faulty-network.ts'
import { overNetwork } from './faulty-store.ts'
import type { Watch } from './invariants.ts'
import { LONGEST_PAUSE_MS } from './plan.ts'
import { Process } from './process.ts'
import type { RotatingProvider } from './rotating-provider.ts'
import type { Trouble } from './trouble.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Takes one of the protocol's parts away, to see whether anybody notices. */
export interface Sabotage {
  store?: (store: TokenStore, memory: Memory) => TokenStore
  providers?: (providers: Providers) => Providers
}

/** What the replicas share. */
export interface Surroundings {
  time: VirtualTime
  random: () => number
  trouble: Trouble
  memory: Memory
  endpoint: RotatingProvider
  settings: ProviderSettings
  watch: Watch
  sabotage: Sabotage
  isStorageAway: () => boolean
  /** How long the refresher waits before it looks again. */
  pollMs: () => number
}

/** The production code in a process of its own, composed as `main.ts` does it. */
export interface Replica {
  process: Process
  renewals: Renewals
  vault: Vault
}

const MOST_RENEWALS = 4

export function startReplica(name: string, around: Surroundings, onCrash: () => void): Replica {
  const { time, random, trouble } = around
  const process = new Process(name, time, onCrash)
  const { clock } = process
  const store = storeOf(process, around)
  const providers = providersOf(process, around)
  const policy = { marginSeconds: 600, random }
  const parts = { store, providers, policy, clock, observer: SILENT }
  const renewals = createRenewals({
    ...parts,
    places: createPlaces(MOST_RENEWALS),
    headStart: createHeadStart(clock),
  })
  const poll = async (): Promise<void> => {
    await renewals.renewDue().catch(expectStorageUnavailable)
    process.deliver(around.pollMs(), () => void poll())
  }
  process.deliver(trouble.between(0, 500), () => void poll())
  const exchanges = { exchange: unexpected, close: unexpected }
  const revocations = createRevocations(parts)
  return { process, renewals, vault: createVault({ ...parts, renewals, exchanges, revocations }) }
}

function storeOf(process: Process, { time, trouble, memory, watch, sabotage, isStorageAway }: Surroundings) {
  const plain = createMemoryTokenStore(memory, process.name)
  const store = sabotage.store?.(plain, memory) ?? plain
  return overNetwork(watch.over(store, process.name), {
    process,
    time,
    trouble,
    isAway: isStorageAway,
    pauseMs: () => trouble.between(100, LONGEST_PAUSE_MS),
  })
}

function providersOf(process: Process, around: Surroundings): Providers {
  const { time, random, trouble, memory, endpoint, settings, watch, sabotage } = around
  const leftSeconds = renewalTerms(settings).leaseSeconds - sendWithinSeconds(settings)
  const send = createFaultySend({
    process,
    time,
    trouble,
    provider: endpoint,
    latestMs: Math.min(settings.timeoutSeconds, leftSeconds) * 1000,
    pauseMs: () => trouble.between(100, LONGEST_PAUSE_MS),
    onSent(request) {
      watch.sent(request)
    },
    onVerdict(request, verdict) {
      watch.heard(request, verdict)
    },
  })
  const options = { send, now: () => memory.now(), monotonicMs: () => time.nowMs, random }
  const providers = createProviders([settings], options)
  return sabotage.providers?.(providers) ?? providers
}

const unexpected = () => Promise.reject(new Error('nothing is exchanged here'))

export const SILENT = {
  renewalSettled: () => undefined,
  clientPaused: () => undefined,
  renewalNotStored: () => undefined,
  renewalEndedWithoutOutcome: (_ref: TokenRef, error: unknown) => {
    expectStorageUnavailable(error)
  },
  refresherFailed: expectStorageUnavailable,
}

function expectStorageUnavailable(error: unknown): void {
  if (!(error instanceof VaultError && error.code === 'storage_unavailable')) throw error
}

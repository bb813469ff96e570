import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What is counted, for this replica. docs/operate.md says what each asks of the people on call. */
export interface Metrics {
  requests: Counter<'method' | 'route' | 'code'>
  requestSeconds: Histogram<'method' | 'route'>
  brakeRefusals: Counter<'brake'>
  renewals: Counter<'provider' | 'outcome'>
  renewalSeconds: Histogram<'provider'>
  renewalStoreFailures: Counter
  refresherFailures: Counter
  exchanges: Counter<'provider' | 'outcome'>
  clientPauses: Counter<'provider' | 'reason'>
  openBreakers: Gauge<'provider' | 'host'>
  /** All of them, in the text format of Prometheus. */
  text: () => Promise<string>
}

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15]
const RENEWAL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 90]

/** No label has a value that callers choose: there are never more series than routes, codes and providers. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: `token_vault_${name}_total`, help, labelNames, registers })
  const seconds = <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ) => new Histogram({ name: `token_vault_${name}_seconds`, help, labelNames, buckets, registers })
  return {
    requests: counter('requests', 'Answers, by ok or the code of the problem.', ['method', 'route', 'code']),
    requestSeconds: seconds('request', 'Time to answer.', ['method', 'route'], REQUEST_SECONDS),
    brakeRefusals: counter('brake_refusals', 'Refusals by a limit of a key.', ['brake']),
    renewals: counter('renewals', 'Renewals, by outcome.', ['provider', 'outcome']),
    renewalSeconds: seconds('renewal', 'Time a provider took.', ['provider'], RENEWAL_SECONDS),
    renewalStoreFailures: counter('renewal_store_failures', 'Tries to store a renewal in vain.', []),
    refresherFailures: counter('refresher_failures', 'Searches for due tokens in vain.', []),
    exchanges: counter('exchanges', 'Exchanges of a code, by outcome.', ['provider', 'outcome']),
    clientPauses: counter('client_pauses', 'Clients left alone from then on.', ['provider', 'reason']),
    openBreakers: new Gauge({
      name: 'token_vault_open_breakers',
      help: 'Endpoints that do not answer.',
      labelNames: ['provider', 'host'],
      registers,
    }),
    text: () => registry.metrics(),
  }
}

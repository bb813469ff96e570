import type { Clock } from '../domain/clock.ts'
import type { Provider, Providers } from '../domain/provider.ts'
import { isLossForgiven } from '../domain/renewal.ts'
import { after } from '../domain/time.ts'
import type { Token } from '../domain/token.ts'
import type { Renewal } from './renew-token.ts'

/**
 * Tokens of which this replica has lost an answer, while the provider's grace lasts. What is due at a provider that does
 * not answer is left to other replicas, and may be left by all of them: these must not be.
 */
export interface Losses {
  /** Notes when the renewal has lost an answer. */
  watch(work: Promise<Renewal | null>, provider: Provider): Promise<Renewal | null>
  /** Those that may be tried again by now, each once, and are not claimed with all that is due. */
  due(): Loss[]
}

interface Loss {
  token: Token
  provider: Provider
}

export function createLosses({ clock, providers }: { clock: Clock; providers: Providers }): Losses {
  const noted = new Set<Loss & { dueAt: Date; now: () => Date }>()
  const note = ({ token, now: notedAt }: Renewal, provider: Provider) => {
    const notedMs = clock.monotonicMs()
    const now = () => after(notedAt, (clock.monotonicMs() - notedMs) / 1000)
    const dueAt = token.refreshDueAt
    if (dueAt !== null && isLossForgiven(token, provider, notedAt)) noted.add({ token, provider, dueAt, now })
  }
  return {
    async watch(work, provider) {
      const renewal = await work
      if (renewal !== null) note(renewal, provider)
      return renewal
    },
    due() {
      const due = [...noted].filter(({ dueAt, now }) => dueAt <= now())
      for (const loss of due) noted.delete(loss)
      return due.filter(
        ({ token, provider, now }) =>
          providers.leftAlone(provider.name) !== null && isLossForgiven(token, provider, now()),
      )
    },
  }
}

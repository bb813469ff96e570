import type { Provider, RenewedOutcome } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import type { RenewalOutcome } from '../../src/domain/renewal-outcome.ts'
import { settlementOf } from '../../src/domain/renewal.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { TokenWords } from './domain.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from './domain.ts'

/** A provider without a limit. */
export const ACME: Provider = { ...ZOHO, name: 'acme', limit: null }
/** The answer comes a while after the claim. */
export const ANSWERED = inSeconds(3)

/** A claim at noon. */
export function claimOf(words: Partial<TokenWords> = {}): Claim {
  const token = tokenOf({
    id: 'token-1',
    clientId: 'client',
    clientSecret: 'secret',
    refreshToken: 'refresh-1',
    accessToken: 'access-1',
    expiresAt: inSeconds(-1),
    lifetimeSeconds: 3600,
    renewals: [NOON],
    fence: 1,
    ...words,
  })
  return { token, fence: token.fence, claimedAt: NOON, leaseSeconds: 25, forced: false, pause: null }
}

/** What the claim leaves behind when this came of it. */
export function settle(
  outcome: RenewalOutcome,
  options: { claim?: Claim; provider?: Provider; chance?: number } = {},
) {
  const { claim = claimOf(), provider = ZOHO, chance = 0.5 } = options
  return settlementOf(claim, outcome, provider, ANSWERED, { marginSeconds: 600, random: () => chance })
}

export const RENEWED: RenewedOutcome = {
  kind: 'renewed',
  accessToken: new Secret('access-2'),
  expiresInSeconds: 3600,
  refreshToken: null,
  tokenType: 'Bearer',
  scope: null,
  apiDomain: null,
}

export const secondsAfter = (at: Date | null, from = ANSWERED) =>
  ((at?.getTime() ?? NaN) - from.getTime()) / 1000

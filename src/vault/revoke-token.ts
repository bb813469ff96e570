import type { Caller } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import type { VaultError } from '../domain/errors.ts'
import { invalidRequest, notFound, storageUnavailable } from '../domain/errors.ts'
import type { IfVersion } from '../domain/if-version.ts'
import { checkVersion } from '../domain/if-version.ts'
import { providerError } from '../domain/provider-error.ts'
import type { Providers, RevokeRequest } from '../domain/provider.ts'
import type { Secret } from '../domain/secret.ts'
import type { TokenStore } from '../domain/token-store.ts'
import type { Token, TokenRef } from '../domain/token.ts'

export interface RevokeParts {
  store: TokenStore
  providers: Providers
  clock: Clock
}

const MOST_TRIES = 5
const MOST_SEND_MS = 10_000
const RENEWAL_POLL_MS = 50
const MOST_RENEWAL_MS = 5_000

/**
 * Revokes what a token holds at the provider, and then deletes it; nothing is deleted where the provider did not hear
 * of it. A renewal under way is waited for, and one that comes between starts all anew: what is revoked is the refresh
 * token that the provider knows last.
 * @throws VaultError `not_found`, `version_mismatch`, or what the provider refuses
 */
export async function revokeToken(
  parts: RevokeParts,
  { namespaceId, keyId: actor }: Caller,
  id: string,
  ifVersion: IfVersion,
): Promise<void> {
  const deleted = { type: 'token.deleted', actor } as const
  let revoked: Secret | null = null
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const token = await afterRenewal(parts, { namespaceId, id })
    if (token === null && tries === 1) throw notFound()
    if (token === null) return
    if (revoked === null) checkVersion(token.version, ifVersion)
    const grant = token.refreshToken ?? token.accessToken
    if (grant !== null && !grant.equals(revoked)) await revokeGrant(parts, token, grant, actor)
    revoked = grant
    if (await parts.store.deleteUntouched(token, deleted)) return
  }
  throw storageUnavailable('The token changes all the time.')
}

/** The token when no renewal of it is under way, or when that has taken too long. */
async function afterRenewal({ store, clock }: RevokeParts, ref: TokenRef): Promise<Token | null> {
  const untilMs = clock.monotonicMs() + MOST_RENEWAL_MS
  for (;;) {
    const reading = await store.get(ref)
    if (reading === null) return null
    const { token, now } = reading
    const isRenewed = token.leaseUntil !== null && token.leaseUntil > now
    if (!isRenewed || clock.monotonicMs() >= untilMs) return token
    await clock.sleep(RENEWAL_POLL_MS)
  }
}

/** That it is about to be sent is stored first: whatever ends the process, the token's events tell of it. */
async function revokeGrant(
  { store, providers, clock }: RevokeParts,
  token: Token,
  grant: Secret,
  actor: string,
): Promise<void> {
  const request = requestOf(token, grant)
  const send = providers.revocation(request)
  if (send === null) throw unsupported(token)
  const revoked = { revoked: request.kind }
  await store.record(token, { type: 'revocation.started', actor, facts: revoked })
  const outcome = await send(clock.monotonicMs() + MOST_SEND_MS)
  if (outcome.kind === 'revoked') {
    const facts = { ...revoked, answer: outcome.answer }
    await store.record(token, { type: 'revocation.succeeded', actor, facts })
    return
  }
  const failure = providerError('Nothing was deleted', outcome, providers.find(token.provider))
  const facts = { code: failure.code, error: outcome.error }
  await store.record(token, { type: 'revocation.failed', actor, facts })
  throw failure
}

function requestOf(
  { provider, clientId, clientSecret, refreshToken, apiDomain }: Token,
  token: Secret,
): RevokeRequest {
  const kind = refreshToken === null ? 'access_token' : 'refresh_token'
  return { provider, clientId, clientSecret, token, kind, apiDomain }
}

function unsupported({ provider }: Token): VaultError {
  const detail = `${provider} has no revocation endpoint: DELETE the token to forget it here, and let the user withdraw the consent at the provider.`
  return invalidRequest(detail, '', 'cannot be revoked')
}

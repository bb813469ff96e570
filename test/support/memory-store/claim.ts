import type { ClientDeaths } from '../../../src/domain/client.ts'
import { DEATHS_WINDOW_SECONDS, tokensThatBear } from '../../../src/domain/client.ts'
import type { Claim, RenewalTerms } from '../../../src/domain/renewal.ts'
import { lossOf, lossWithin } from '../../../src/domain/renewal.ts'
import type { ClaimOptions, DueOptions, DueTerms } from '../../../src/domain/token-store.ts'
import type { Token } from '../../../src/domain/token.ts'
import { REFRESHER } from '../../../src/domain/token.ts'
import type { Memory, Row } from './memory.ts'
import { clientKeyOf, isSameToken, keyOf, later, put, record, rowOf } from './memory.ts'

export function claimDue(
  memory: Memory,
  owner: string,
  terms: DueTerms[],
  { limit, busy, takeOver }: DueOptions,
) {
  const now = memory.now()
  const busyKeys = new Set(busy.map(keyOf))
  const isDue = ({ token }: Row) =>
    token.refreshDueAt !== null &&
    token.refreshDueAt <= now &&
    (!isBackingOff(token, now) || token.leaseUntil !== null) &&
    !busyKeys.has(keyOf(token))
  const found = terms.flatMap((term) =>
    byDueAt(
      [...memory.rows.values()].filter(
        (row) => row.token.provider === term.provider && isClaimable(row, term, takeOver, now) && isDue(row),
      ),
      ({ token }) => token,
    )
      .slice(0, term.places)
      .map((row, turn) => ({ row, term, turn })),
  )
  // Sorts by turns, and within a turn in the order in which they fall due.
  return byDueAt(found, ({ row }) => row.token)
    .toSorted((one, other) => one.turn - other.turn)
    .slice(0, limit)
    .map(({ row, term }) => take(memory, owner, row, term, false))
}

export function claimOne(
  memory: Memory,
  owner: string,
  { namespaceId, id, version }: Token,
  terms: RenewalTerms,
  { forced, takeOver }: ClaimOptions,
): Claim | null {
  const now = memory.now()
  const row = rowOf(memory, { namespaceId, id })
  if (row === null) return null
  const { token } = row
  if (token.version !== version || token.provider !== terms.provider) return null
  if (!isClaimable(row, terms, takeOver, now)) return null
  const mayForce = forced && token.lastError !== null && token.lastError.code !== 'provider_throttled'
  if (isBackingOff(token, now) && token.leaseUntil === null && !mayForce) return null
  return take(memory, owner, row, terms, forced)
}

const isBackingOff = ({ retryAt }: Token, now: Date) => retryAt !== null && retryAt > now

const byDueAt = <Item>(items: Item[], tokenOf: (item: Item) => Token) =>
  items.toSorted(
    (one, other) =>
      (tokenOf(one).refreshDueAt?.getTime() ?? 0) - (tokenOf(other).refreshDueAt?.getTime() ?? 0),
  )

function isClaimable({ token, claimedAt }: Row, terms: RenewalTerms, takeOver: boolean, now: Date): boolean {
  if (token.refreshToken === null || token.clientId === null || token.status === 'reauth_required')
    return false
  const sentAt = lossOf(token) ?? claimedAt
  const isForgiven = sentAt !== null && later(sentAt, terms.replaySeconds) > now
  if (token.leaseUntil !== null && !((takeOver || isForgiven) && token.leaseUntil <= now)) return false
  return isWithinLimit(token, terms, now) && isAboveFloor(token, terms, now)
}

function isWithinLimit({ renewals }: Token, { limit }: RenewalTerms, now: Date): boolean {
  const oldest = limit === null ? undefined : renewals.at(-limit.count)
  return oldest === undefined || limit === null || later(oldest, limit.windowSeconds) <= now
}

function isAboveFloor(token: Token, { minIntervalSeconds }: RenewalTerms, now: Date): boolean {
  if (token.accessToken === null || token.refreshedAt === null) return true
  if (token.expiresAt !== null && token.expiresAt <= now) return true
  if (token.leaseUntil !== null || lossOf(token) !== null) return true
  if (token.lostAt !== null && token.refreshDueAt !== null && token.refreshDueAt <= now) return true
  const interval = Math.min(minIntervalSeconds, (token.lifetimeSeconds ?? Infinity) / 5)
  return later(token.refreshedAt, interval) <= now
}

function take(memory: Memory, owner: string, row: Row, terms: RenewalTerms, forced: boolean): Claim {
  const now = memory.now()
  const { token: before } = row
  const isCutOff = before.leaseUntil !== null
  const leaseSeconds = isCutOff ? terms.replayLeaseSeconds : terms.leaseSeconds
  const until = later(now, leaseSeconds)
  if (isCutOff) {
    const facts = {
      from: row.owner ?? '',
      fence: before.fence,
      claimed_at: row.claimedAt?.toISOString() ?? '',
    }
    record(memory, before, [{ type: 'renewal.taken_over', actor: REFRESHER, facts }])
  }
  const facts = { by: owner, fence: before.fence + 1 }
  record(memory, before, [{ type: 'renewal.claimed', actor: REFRESHER, facts }])
  const isDueBefore = before.refreshDueAt !== null && before.refreshDueAt < until
  const token: Token = {
    ...before,
    fence: before.fence + 1,
    leaseUntil: until,
    lostAt: isCutOff
      ? (lossWithin(before, terms.leaseSeconds + terms.replaySeconds, now) ?? row.claimedAt)
      : before.lostAt,
    refreshDueAt: isDueBefore ? before.refreshDueAt : until,
    renewals: terms.limit === null ? [] : [...before.renewals, now].slice(-terms.limit.count),
  }
  put(memory, { ...row, token, owner, claimedAt: now })
  return {
    token,
    fence: token.fence,
    claimedAt: now,
    leaseSeconds,
    forced,
    pause: memory.clients.get(clientKeyOf(token))?.pause ?? null,
  }
}

export function extendLease(memory: Memory, claim: Claim): void {
  const { token, fence, leaseSeconds } = claim
  const own = rowOf(memory, token)
  const isOwn = own?.token.fence === fence && isSameToken(own.token, token)
  const row = isOwn ? own : heirOf(memory, claim)
  if (row?.token.leaseUntil == null) return
  put(memory, { ...row, token: { ...row.token, leaseUntil: later(memory.now(), leaseSeconds) } })
}

/** Whichever has absorbed the claimed token, and its claim. */
function heirOf({ rows }: Memory, { token, claimedAt }: Claim): Row | null {
  const refreshToken = token.refreshToken?.reveal()
  const heirs = [...rows.values()].filter(
    (row) =>
      refreshToken !== undefined &&
      row.refreshTokens.includes(refreshToken) &&
      row.claimedAt?.getTime() === claimedAt.getTime(),
  )
  return heirs[0] ?? null
}

export function countDeath(memory: Memory, { token }: Claim): ClientDeaths {
  const now = memory.now()
  const client = memory.clients.get(clientKeyOf(token)) ?? { pause: null, deaths: [] }
  const lately = client.deaths.filter((at) => later(at, DEATHS_WINDOW_SECONDS) > now)
  const row = rowOf(memory, token)
  const isCurrent = row?.token.fence === token.fence && row.token.version === token.version
  const deaths = isCurrent ? [...lately, now] : []
  if (isCurrent) memory.clients.set(clientKeyOf(token), { ...client, deaths })
  const tokens = [...memory.rows.values()].filter(
    (row) =>
      row.token.namespaceId === token.namespaceId &&
      row.token.clientId === token.clientId &&
      row.token.provider === token.provider,
  )
  return { died: deaths.length, tokens: Math.min(tokens.length, tokensThatBear(deaths.length)) }
}

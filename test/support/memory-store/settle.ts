import type { Claim, Settlement } from '../../../src/domain/renewal.ts'
import type { Secret } from '../../../src/domain/secret.ts'
import type { Token } from '../../../src/domain/token.ts'
import { REFRESHER } from '../../../src/domain/token.ts'
import { isWaitAskedFor } from '../../../src/domain/freshness.ts'
import type { Memory, Row } from './memory.ts'
import { clientKeyOf, isSameToken, put, record, rowOf } from './memory.ts'

const RING_ENTRIES = 16

export function settle(memory: Memory, claim: Claim, settlement: Settlement): Token | null {
  const { token, event } = settlement
  const row = rowOf(memory, claim.token)
  const succeeded = event.type === 'renewal.succeeded'
  const isOwn = isHeldBy(row, claim) && row?.token.leaseUntil !== null
  const isVoid = !succeeded && row?.token.version !== claim.token.version
  if (row === null || !isOwn || isVoid) return settleLate(memory, claim, settlement)
  const settled = { ...written(memory, row, claim, settlement), leaseUntil: null }
  const replaced = succeeded ? ring(row) : row.replacedAccess
  put(memory, { ...kept(row, settled), ...UNCLAIMED, replacedAccess: replaced })
  record(memory, token, [event])
  settlePause(memory, token, settlement)
  return settled
}

function isHeldBy(row: Row | null, { token, fence }: Claim): boolean {
  return row?.token.fence === fence && row.token.id === token.id && isSameToken(row.token, token)
}

/**
 * The stored token with the fields that the outcome changes: a save that came in the meantime keeps its own. An access
 * token, its expiry and its life are one unit.
 */
function written(memory: Memory, { token: stored }: Row, claim: Claim, { token, event }: Settlement): Token {
  const changed = Object.entries(token).filter(
    ([field, value]) => value !== claim.token[field as keyof Token],
  )
  const { expiresAt, lifetimeSeconds } = token
  return {
    ...stored,
    ...(Object.fromEntries(changed) as Partial<Token>),
    ...(event.type === 'renewal.succeeded' && { expiresAt, lifetimeSeconds }),
    version: stored.version + 1,
    updatedAt: memory.now(),
  }
}

function kept(row: Row, token: Token): Row {
  const refreshToken = token.refreshToken?.reveal()
  const isKnown = refreshToken === undefined || row.refreshTokens.includes(refreshToken)
  return { ...row, token, refreshTokens: isKnown ? row.refreshTokens : [...row.refreshTokens, refreshToken] }
}

function ring({ token: { accessToken }, replacedAccess }: Row): readonly string[] {
  return accessToken === null
    ? replacedAccess
    : [accessToken.reveal(), ...replacedAccess].slice(0, RING_ENTRIES)
}

function settlePause(memory: Memory, token: Token, { pause }: Settlement): void {
  if (pause === undefined) return
  const key = clientKeyOf(token)
  if (pause === null) {
    memory.clients.delete(key)
    return
  }
  const before = memory.clients.get(key) ?? { pause: null, deaths: [] }
  const isPaused = before.pause !== null && before.pause.until > memory.now()
  const until = before.pause !== null && before.pause.until > pause.until ? before.pause.until : pause.until
  memory.clients.set(key, { ...before, pause: { reason: pause.reason, until } })
  const facts = { client_id: token.clientId ?? '', reason: pause.reason, until: pause.until.toISOString() }
  if (!isPaused) record(memory, token, [{ type: 'client.paused', actor: REFRESHER, facts }])
}

function settleLate(memory: Memory, claim: Claim, settlement: Settlement) {
  const { token, event } = settlement
  const row = heirOf(memory, claim.token)
  const isOurs = isHeldBy(row, claim)
  const told = endingOf(memory, claim)
  if (told !== null) return told === 'renewal.dropped' ? null : (row?.token ?? null)
  const isPassedOn = row !== null && isPassedOnTo(row, claim)
  if (row !== null && isSuccessor(row, claim.token, token)) {
    const changed = written(memory, row, claim, settlement)
    const lostAt = isPassedOn ? null : row.token.lostAt
    const successor: Token = {
      ...changed,
      ...{ status: 'active', lastError: null, retryAt: null, lostAt },
      refreshDueAt: lostAt === null ? token.refreshDueAt : changed.updatedAt,
      leaseUntil: isPassedOn ? null : row.token.leaseUntil,
    }
    put(memory, { ...kept(row, successor), ...(isPassedOn && UNCLAIMED), replacedAccess: ring(row) })
    record(memory, token, [event])
    return successor
  }
  if (row !== null && (isOurs || isPassedOn) && isDeadFor(row.token, claim, token)) {
    const dead = { ...written(memory, row, claim, settlement), leaseUntil: null }
    put(memory, { ...row, token: dead, ...UNCLAIMED })
    record(memory, token, [event])
    return dead
  }
  if (row !== null && (isOurs || isPassedOn)) {
    const { lostAt } = token
    const replay = lostAt !== null && {
      lostAt,
      refreshDueAt: earlier(row.token.refreshDueAt, token.refreshDueAt),
    }
    const backOff = isWaitAskedFor(token) && {
      retryAt: later(row.token.retryAt, token.retryAt),
      refreshDueAt: later(row.token.refreshDueAt, token.refreshDueAt),
    }
    put(memory, { ...row, token: { ...row.token, leaseUntil: null, ...replay, ...backOff }, ...UNCLAIMED })
  }
  if (row !== null && isOvertaken(row, claim, token) && wasTakenOver(memory, row, claim)) {
    const { lostAt } = row.token
    const due = { lostAt: lostAt ?? claim.claimedAt, refreshDueAt: memory.now() }
    put(memory, { ...row, token: { ...row.token, ...due } })
  }
  record(memory, token, [{ ...event, type: 'renewal.dropped' }])
  return null
}

function later(one: Date | null, other: Date | null): Date | null {
  return one === null || (other !== null && other > one) ? other : one
}

function earlier(one: Date | null, other: Date | null): Date | null {
  return one === null || (other !== null && other < one) ? other : one
}

const UNCLAIMED = { owner: null, claimedAt: null }

/** Has this row absorbed the claimed token, and its claim, of which nobody has taken over since? */
function isPassedOnTo({ token, claimedAt }: Row, claim: Claim): boolean {
  if (token.id === claim.token.id || token.leaseUntil === null) return false
  return claimedAt?.getTime() === claim.claimedAt.getTime()
}

/** A grant is dead whatever else was saved, but for another refresh token or client, or at another data centre. */
function isDeadFor(stored: Token, { token }: Claim, settled: Token): boolean {
  if (settled.status !== 'reauth_required') return false
  if (stored.clientId !== token.clientId || stored.apiDomain !== token.apiDomain) return false
  return isSame(stored.refreshToken, token.refreshToken) && isSame(stored.clientSecret, token.clientSecret)
}

const isSame = (one: Secret | null, other: Secret | null) =>
  one === null ? other === null : one.equals(other)

/** What the end of this claim was told as; null where it has none yet. */
function endingOf({ events }: Memory, { token, fence, claimedAt }: Claim): string | null {
  const ending = events.find(
    ({ type, tokenId, facts }) =>
      ['renewal.succeeded', 'renewal.failed', 'renewal.dropped'].includes(type) &&
      tokenId === token.id &&
      facts?.['fence'] === fence &&
      facts['claimed_at'] === claimedAt.toISOString(),
  )
  return ending?.type ?? null
}

/** Has a replay brought another refresh token before this answer came? */
function isOvertaken({ token: stored }: Row, { token, claimedAt }: Claim, { refreshToken }: Token): boolean {
  if (refreshToken === null || refreshToken === token.refreshToken) return false
  if (refreshToken.equals(stored.refreshToken) || stored.status === 'reauth_required') return false
  return stored.refreshedAt !== null && stored.refreshedAt >= claimedAt
}

function wasTakenOver({ events }: Memory, { token: { id } }: Row, { claimedAt }: Claim): boolean {
  return events.some(
    ({ type, tokenId, facts }) =>
      type === 'renewal.taken_over' && tokenId === id && facts?.['claimed_at'] === claimedAt.toISOString(),
  )
}

/** This very token, or else whichever has its refresh token now. */
function heirOf(memory: Memory, presented: Token): Row | null {
  const row = rowOf(memory, presented)
  if (row !== null && isSameToken(row.token, presented)) return row
  const refreshToken = presented.refreshToken?.reveal()
  const holders = [...memory.rows.values()].filter(
    ({ token, refreshTokens }) =>
      token.namespaceId === presented.namespaceId &&
      refreshToken !== undefined &&
      refreshTokens.includes(refreshToken),
  )
  return holders[0] ?? null
}

/** Is it another refresh token, for the one that was presented and that the row still has? */
function isSuccessor(row: Row, presented: Token, { refreshToken }: Token): boolean {
  if (refreshToken === null || refreshToken === presented.refreshToken || presented.refreshToken === null)
    return false
  return presented.refreshToken.equals(row.token.refreshToken) && !refreshToken.equals(presented.refreshToken)
}

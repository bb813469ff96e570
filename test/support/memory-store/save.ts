import type { Candidate, SaveRequest } from '../../../src/domain/save.ts'
import type { Secret } from '../../../src/domain/secret.ts'
import type { SavePlan } from '../../../src/domain/token-store.ts'
import { userKeyOf } from '../../../src/domain/token.ts'
import type { Memory, Row } from './memory.ts'
import { keyOf, put, record, rowOf } from './memory.ts'

type Plan = (candidates: Candidate[], now: Date) => SavePlan

export function save(memory: Memory, namespaceId: string, request: SaveRequest, plan: Plan) {
  const now = memory.now()
  const planned = plan(candidatesOf(memory, namespaceId, request), now)
  carryOut(memory, planned)
  return { plan: planned, now }
}

function candidatesOf({ rows }: Memory, namespaceId: string, request: SaveRequest): Candidate[] {
  const own = [...rows.values()].filter(({ token }) => token.namespaceId === namespaceId)
  const sharing = own.map((row) => ({ candidate: toCandidate(row, request), userName: row.token.userName }))
  const named = sharing.filter(({ candidate: { shares } }) =>
    Object.entries(shares).some(([shared, does]) => does && shared !== 'user_name'),
  )
  const users = request.userName === null ? named.map(({ userName }) => userName) : [request.userName]
  const keys = new Set(users.flatMap((user) => (user === null ? [] : [userKeyOf(user)])))
  return sharing
    .filter((one) => named.includes(one) || (one.userName !== null && keys.has(userKeyOf(one.userName))))
    .map(({ candidate }) => candidate)
    .toSorted((one, other) => (one.token.id < other.token.id ? -1 : 1))
}

const same = (one: Secret | null, other: Secret | null) => one?.equals(other) ?? false

function toCandidate({ token, refreshTokens, replacedAccess }: Row, request: SaveRequest): Candidate {
  const holdsRefresh = request.refreshToken !== null && refreshTokens.includes(request.refreshToken.reveal())
  const isUser =
    request.userName !== null &&
    token.userName !== null &&
    userKeyOf(request.userName) === userKeyOf(token.userName)
  return {
    token,
    shares: {
      id: token.id === request.id,
      user_name: isUser,
      grant_token: same(request.grantToken, token.grantToken),
      refresh_token: holdsRefresh,
      access_token: same(request.accessToken, token.accessToken),
    },
    formerRefreshToken: holdsRefresh && !same(request.refreshToken, token.refreshToken),
    replacedAccessToken:
      request.accessToken !== null && replacedAccess.includes(request.accessToken.reveal()),
  }
}

function carryOut(memory: Memory, { token, replaces, absorbed, events }: SavePlan): void {
  const gone = absorbed && rowOf(memory, absorbed)
  if (absorbed !== null) memory.rows.delete(keyOf(absorbed))
  const blank = { owner: null, claimedAt: null, replacedAccess: [], refreshTokens: [] }
  const row = (replaces && rowOf(memory, replaces)) ?? blank
  const refreshTokens = new Set([...row.refreshTokens, ...(gone?.refreshTokens ?? [])])
  if (token.refreshToken !== null) refreshTokens.add(token.refreshToken.reveal())
  const { owner, claimedAt } = absorbed?.leaseUntil && gone ? gone : row
  put(memory, { ...row, token, owner, claimedAt, refreshTokens: [...refreshTokens] })
  record(memory, token, events)
}

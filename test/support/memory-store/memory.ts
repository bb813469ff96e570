import type { ClientPause } from '../../../src/domain/client.ts'
import type { Event } from '../../../src/domain/event.ts'
import type { Token, TokenRef } from '../../../src/domain/token.ts'

/** A stored token with what only the storage knows. Rows are replaced, never changed: who holds one has a snapshot. */
export interface Row {
  token: Token
  owner: string | null
  claimedAt: Date | null
  /** Access tokens that renewals have replaced, the newest first. */
  replacedAccess: readonly string[]
  /** Every refresh token that it ever had. */
  refreshTokens: readonly string[]
}

interface ClientState {
  pause: ClientPause | null
  deaths: Date[]
}

/** What replicas share: the tables, and the clock by which leases are judged. */
export interface Memory {
  rows: Map<string, Row>
  clients: Map<string, ClientState>
  events: (Event & { tokenId: string })[]
  now(): Date
}

export function createMemory(now: () => Date): Memory {
  return { rows: new Map(), clients: new Map(), events: [], now }
}

export const keyOf = ({ namespaceId, id }: TokenRef) => `${namespaceId}/${id}`

export const rowOf = ({ rows }: Memory, ref: TokenRef) => rows.get(keyOf(ref)) ?? null

export function put({ rows }: Memory, row: Row): void {
  rows.set(keyOf(row.token), row)
}

export function record({ events }: Memory, { id }: TokenRef, recorded: Event[]): void {
  events.push(...recorded.map((event) => ({ ...event, tokenId: id })))
}

export const later = (at: Date, seconds: number) => new Date(at.getTime() + seconds * 1000)

export function clientKeyOf({ namespaceId, provider, clientId, clientSecret }: Token): string {
  return JSON.stringify([namespaceId, provider, clientId, clientSecret?.reveal() ?? null])
}

/** This very token: one that was saved later with the same id is another one. */
export const isSameToken = (one: Token, other: Token) => one.createdAt.getTime() === other.createdAt.getTime()

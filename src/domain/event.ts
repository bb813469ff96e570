import type { Actor } from './token.ts'

/**
 * Something that happened in a namespace: to a token, an API key or an authorization code. A token's history is made of
 * these, and holds no secret.
 */
export interface Event {
  type:
    | 'token.created'
    | 'token.updated'
    | 'token.absorbed'
    | 'token.deleted'
    | 'save.stale'
    | 'renewal.claimed'
    | 'renewal.succeeded'
    | 'renewal.failed'
    | 'renewal.dropped'
    | 'renewal.taken_over'
    | 'client.paused'
    | 'exchange.succeeded'
    | 'exchange.failed'
    | 'exchange.dropped'
    | 'revocation.started'
    | 'revocation.succeeded'
    | 'revocation.failed'
    | 'key.created'
    | 'key.revoked'
  actor: Actor
  /** By name, and none of them a secret. */
  facts?: Record<string, string | number | boolean | string[]>
}

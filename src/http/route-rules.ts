import type { AuditAction } from '../domain/audit.ts'
import type { Scope } from '../domain/caller.ts'

/** The scope that each route asks for. A route that is not here stops the start. */
export const ROUTE_SCOPES: Readonly<Record<string, Scope | 'public'>> = {
  'POST /v1/tokens/find': 'tokens:list',
  'GET /v1/tokens/:id': 'tokens:list',
  'POST /v1/tokens': 'tokens:write',
  'DELETE /v1/tokens/:id': 'tokens:delete',
  'GET /v1/tokens': 'tokens:list',
  'DELETE /v1/tokens': 'tokens:delete',
  'GET /v1/tokens/:id/access-token': 'tokens:use',
  'POST /v1/access-token': 'tokens:use',
  'POST /v1/tokens/:id/refresh': 'tokens:write',
  'POST /v1/tokens/exchange': 'tokens:write',
  'POST /v1/tokens/:id/revoke': 'tokens:delete',
  'GET /v1/tokens/:id/events': 'tokens:list',
  'GET /v1/events': 'tokens:list',
  'POST /v1/keys': 'admin',
  'GET /v1/keys': 'admin',
  'DELETE /v1/keys/:id': 'admin',
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /metrics': 'public',
}

/** What the audit log calls a request that may change something. A change that is not here stops the start. */
const ROUTE_ACTIONS: Readonly<Record<string, AuditAction>> = {
  'POST /v1/tokens': 'token.saved',
  'DELETE /v1/tokens/:id': 'token.deleted',
  'DELETE /v1/tokens': 'tokens.deleted',
  'POST /v1/tokens/:id/refresh': 'token.refreshed',
  'POST /v1/tokens/exchange': 'token.exchanged',
  'POST /v1/tokens/:id/revoke': 'token.revoked',
  'POST /v1/keys': 'key.created',
  'DELETE /v1/keys/:id': 'key.revoked',
}

/** The scope without which a field is left out of an answer; fields that are not here are metadata. */
export const FIELD_SCOPES = {
  access_token: 'tokens:use',
  refresh_token: 'tokens:read',
  grant_token: 'tokens:read',
  client_secret: 'tokens:read',
} as const satisfies Record<string, Scope>

/** The page at /docs brings files of its own: all public, none of them the vault's. */
const DOCS = /^\/docs(\/|$)/

const CHANGING: readonly (Scope | 'public')[] = ['tokens:write', 'tokens:delete', 'admin']

/** Null for a route that only reads. */
export function actionOfRoute(method: string, url: string): AuditAction | null {
  const action = ROUTE_ACTIONS[`${method} ${url}`] ?? null
  const reads = method === 'GET' || method === 'HEAD' || !CHANGING.includes(scopeOfRoute(method, url))
  if (action === null && !reads)
    throw new Error(`the route ${method} ${url} has no action: name it in http/route-rules.ts`)
  return action
}

export function scopeOfRoute(method: string, url: string): Scope | 'public' {
  const scope =
    ROUTE_SCOPES[`${method === 'HEAD' ? 'GET' : method} ${url}`] ?? (DOCS.test(url) ? 'public' : undefined)
  if (scope === undefined)
    throw new Error(`the route ${method} ${url} has no scope: name it in http/route-rules.ts`)
  return scope
}

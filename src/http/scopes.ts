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
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
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

export function scopeOfRoute(method: string, url: string): Scope | 'public' {
  const scope =
    ROUTE_SCOPES[`${method === 'HEAD' ? 'GET' : method} ${url}`] ?? (DOCS.test(url) ? 'public' : undefined)
  if (scope === undefined)
    throw new Error(`the route ${method} ${url} has no scope: name it in http/scopes.ts`)
  return scope
}

import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { Caller, Scope } from '../../domain/caller.ts'
import { allows } from '../../domain/caller.ts'
import { unauthorized, VaultError } from '../../domain/errors.ts'
import type { Authenticator } from '../../vault/authenticator.ts'
import { scopeOfRoute } from '../route-rules.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: Scope | 'public'
  }
  interface FastifyRequest {
    /** Null on public routes; ask callerOf for it. */
    caller: Caller | null
  }
}

const BEARER = /^Bearer +(\S+) *$/i
/** A checked key may have been revoked for 4 s: with one more it is refused in the 5 s that are promised. */
const CHECKED_MS = 1_000

/** Default deny: each route gets its scope from the table, and is answered only to a caller with a valid key. */
export function authenticateCallers(
  app: FastifyInstance,
  authenticator: Authenticator,
  delayFailure: (address: string) => Promise<void>,
): void {
  app.decorateRequest('caller', null)
  app.addHook('onRoute', (route: RouteOptions) => {
    const [method = ''] = [route.method].flat()
    route.config = { ...route.config, scope: route.config?.scope ?? scopeOfRoute(method, route.url) }
  })
  const checkKey = async (request: FastifyRequest) => {
    const key = BEARER.exec(request.headers.authorization ?? '')?.[1] ?? ''
    request.caller = await authenticator.authenticate(key)
    if (request.caller === null) {
      await delayFailure(request.ip)
      throw unauthorized()
    }
  }
  // Before the body is parsed: a stranger costs no more than the header.
  app.addHook('onRequest', async (request) => {
    const { scope } = request.routeOptions.config
    if (scope !== 'public') await checkKey(request)
  })
  // Once more behind a body that took its time: the key may be revoked by now.
  app.addHook('preHandler', (request, reply, done) => {
    if (request.caller === null || reply.elapsedTime < CHECKED_MS) done()
    else
      checkKey(request).then(() => {
        done()
      }, done)
  })
}

/** What a key lacks is looked at behind its rate limit: a refusal is a request, too. */
export function guardRoutes(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope } = request.routeOptions.config
    const isAllowed = scope === 'public' || holds(callerOf(request), scope)
    done(isAllowed ? undefined : insufficientScope(scope))
  })
}

/** @throws VaultError `insufficient_scope` */
export function requireScope(caller: Caller, scope: Scope): void {
  if (!holds(caller, scope)) throw insufficientScope(scope)
}

/** Nobody holds a scope that was not declared. */
function holds(caller: Caller, scope: Scope | undefined): boolean {
  return scope !== undefined && allows(caller, scope)
}

function insufficientScope(scope: Scope | undefined): VaultError {
  return new VaultError('insufficient_scope', `This needs a key with the scope ${scope ?? 'of the route'}.`)
}

export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a public route asked for its caller')
  return request.caller
}

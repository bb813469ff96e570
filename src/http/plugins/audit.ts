import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { AuditAction, AuditEntry, AuditTrail } from '../../domain/audit.ts'
import type { Clock } from '../../domain/clock.ts'
import type { VaultError } from '../../domain/errors.ts'
import type { RequestObserver } from '../../domain/observer.ts'
import type { DisclosureBudget } from '../../vault/disclosure-budget.ts'
import { createBrakeClosings } from '../brake-closings.ts'
import type { LedgerEntry } from '../ledger.ts'
import { Ledger } from '../ledger.ts'
import { actionOfRoute } from '../route-rules.ts'
import { describeError } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the audit log calls it; null where it only reads. */
    action?: AuditAction | null
  }
  interface FastifyRequest {
    /** Null until the key was checked; ask ledgerOf for it. */
    ledger: Ledger | null
    /** The route's own work has begun: what it may change has to be told. */
    begun: boolean
  }
}

interface AuditOptions {
  trail: AuditTrail
  budget: DisclosureBudget
  clock: Clock
  observer: RequestObserver
}

/** Every answer passes here before its first byte, and waits until the audit log has what it discloses or changed. */
export function auditAnswers(app: FastifyInstance, { trail, budget, clock, observer }: AuditOptions): void {
  const closings = createBrakeClosings(clock)
  app.decorateRequest('ledger', null)
  app.decorateRequest('begun', false)
  app.addHook('onRoute', (route: RouteOptions) => {
    const [method = ''] = [route.method].flat()
    const action = route.config?.scope === 'public' ? null : actionOfRoute(method, route.url)
    route.config = { ...route.config, action }
    // Instead of Fastify's, which tells the length of a body without the secrets: GET's has another one.
    if (method === 'HEAD' && route.config.scope !== 'public') route.onSend = dropBody
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const { caller } = request
    const changes = request.routeOptions.config.action != null
    const bodiless = request.method === 'HEAD'
    if (caller !== null)
      request.ledger = new Ledger({ caller, changes, bodiless, budget, closings, observer })
    done()
  })
  app.addHook('preHandler', (request, _reply, done) => {
    request.begun = true
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    const entries = entriesOf(request)
    if (entries.length === 0) done(null, payload)
    else
      trail.record(entries).then(
        () => {
          done(null, payload)
        },
        // An error would be answered in Fastify's own words where this answer is a problem document already.
        (error: unknown) => {
          request.ledger?.lost()
          done(null, describeError(request, reply, error as VaultError))
        },
      )
  })
}

const dropBody = () => Promise.resolve(null)

export function ledgerOf(request: FastifyRequest): Ledger {
  if (request.ledger === null) throw new Error('a public route asked for its ledger')
  return request.ledger
}

function entriesOf(request: FastifyRequest): AuditEntry[] {
  const { caller, ledger, begun, outcome } = request
  const action = request.routeOptions.config.action ?? null
  if (caller === null || ledger === null) return []
  const common = { requestId: request.id, namespaceId: caller.namespaceId, actor: caller.keyId }
  const told = toldOf(ledger, action !== null && begun ? subjectOf(request, action) : null)
  return [
    ...ledger.brakes.map((brake) => ({ ...common, action: 'brake.closed' as const, outcome: brake })),
    ...told.map((entry) => ({
      ...common,
      ...entry,
      action: action ?? ('token.disclosed' as const),
      outcome,
    })),
  ]
}

/** Of a change always something, if only of what it was about; otherwise only what was shown. */
function toldOf({ entries }: Ledger, subject: LedgerEntry | null): readonly LedgerEntry[] {
  if (subject !== null) return entries.length === 0 ? [subject] : entries
  return entries.filter(({ disclosed }) => disclosed !== undefined && Object.keys(disclosed).length > 0)
}

function subjectOf({ params }: FastifyRequest, action: AuditAction): LedgerEntry {
  const { id } = params as { id?: string }
  if (id === undefined) return {}
  return action.startsWith('key.') ? { keyId: id } : { tokenId: id }
}

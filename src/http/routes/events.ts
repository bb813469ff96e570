import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Event, EventsQuery } from '../../contract/events.ts'
import type { RecordedEvent } from '../../domain/event-store.ts'
import type { History, HistoryPage } from '../../vault/history.ts'
import * as operations from '../operations.ts'
import { callerOf } from '../plugins/authentication.ts'
import { DEFAULT_LIMIT, text } from '../token-requests.ts'

/** What happened: to a token, and in the namespace. */
export const eventRoutes: FastifyPluginCallbackTypebox<{ history: History }> = (app, { history }, done) => {
  app.get('/tokens/:id/events', { schema: operations.listTokenEvents }, (request) =>
    pageOf(request.query, (page) => history.ofToken(callerOf(request), request.params.id, page)),
  )

  app.get('/events', { schema: operations.listEvents }, (request) =>
    pageOf(request.query, (page) => history.list(callerOf(request), page)),
  )
  done()
}

async function pageOf(
  { limit = DEFAULT_LIMIT, cursor }: EventsQuery,
  read: (page: HistoryPage) => Promise<RecordedEvent[]>,
) {
  // One more than asked for tells whether there is another page.
  const found = await read({ limit: limit + 1, before: text(cursor) })
  const events = found.slice(0, limit)
  const last = found.length > limit ? events.at(-1) : undefined
  return { events: events.map(eventView), ...(last && { next_cursor: last.id }) }
}

function eventView({ id, type, at, actor, tokenId, facts }: RecordedEvent): Event {
  const outcome = outcomeOf(type, facts)
  return {
    id,
    type,
    at: at.toISOString(),
    actor,
    ...(tokenId !== null && { token_id: tokenId }),
    ...(outcome !== null && { outcome }),
    ...(Object.keys(facts).length > 0 && { detail: facts }),
  }
}

/** What was sent to a provider says how it ended; a failure by its code. */
function outcomeOf(type: RecordedEvent['type'], { code }: RecordedEvent['facts']): string | null {
  if (type.endsWith('.succeeded')) return 'ok'
  if (type.endsWith('.dropped')) return 'dropped'
  return typeof code === 'string' ? code : null
}

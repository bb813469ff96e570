import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/**
 * What a request under way may take once the service stops: longer than a caller waits for a provider, 25 s where a
 * revocation has a renewal in its way. The caller of what takes longer is cut off; the work goes on.
 */
const MOST_DRAINING_MS = 30_000
const POLL_MS = 50

/**
 * When the service stops, requests under way are answered, each on a connection that is not kept alive. Then nothing
 * holds up the stop: connections without a request, or with half of one, are cut.
 */
export function closeConnections(app: FastifyInstance): void {
  let stopping = false
  // A number: tables that a set of requests has outgrown hold on to them until all of the heap is collected.
  let underWay = 0

  const drain = async () => {
    const endMs = performance.now() + MOST_DRAINING_MS
    do await sleep(POLL_MS)
    while (underWay > 0 && performance.now() < endMs)
    app.server.closeAllConnections()
  }
  app.addHook('preClose', async () => {
    stopping = true
    void drain()
    return Promise.resolve()
  })
  // From the moment at which the request is whole: a body that never comes is nobody's work.
  app.addHook('preValidation', (_request, { raw }, done) => {
    // Who has left while the key was read is told of no more.
    if (!raw.destroyed) {
      underWay += 1
      // Fastify's onResponse never comes for a caller who has left.
      raw.on('close', () => {
        underWay -= 1
      })
    }
    done()
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping) reply.header('connection', 'close')
    done(null, payload)
  })
}

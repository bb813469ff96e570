import type { FastifyInstance } from 'fastify'

/** A connection that gets its answer while the service stops is not kept alive: it would hold up the stop. */
export function closeConnections(app: FastifyInstance): void {
  let stopping = false
  app.addHook('preClose', async () => {
    stopping = true
    return Promise.resolve()
  })
  app.addHook('onSend', async (_request, reply) => {
    if (stopping) reply.header('connection', 'close')
    return Promise.resolve()
  })
}

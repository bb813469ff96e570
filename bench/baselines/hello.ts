/** Fastify's hello world: what any service in Node could reach at most. */
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { ready } from '../processes/parent.ts'

const app = Fastify()
app.get('/', () => ({ hello: 'world' }))
await app.listen({ host: '127.0.0.1', port: 0 })
ready((app.server.address() as AddressInfo).port)

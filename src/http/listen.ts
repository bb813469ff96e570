import { once } from 'node:events'
import { Server as HttpsServer } from 'node:https'
import { createServer, isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { StartupError } from '../domain/errors.ts'

interface Address {
  host: string
  port: number
  /** The variable that the port comes from. */
  variable: string
}

const REMEDIES: Record<string, (address: Address) => string> = {
  EADDRINUSE: ({ host, port, variable }) =>
    `${variable}: ${port} is in use on ${host}: stop what listens there or choose another one, for example ${variable}=${port + 1}`,
  EACCES: ({ port, variable }) =>
    `${variable}: ${port} may not be opened by this user: choose one over 1023, for example ${variable}=8080`,
  EADDRNOTAVAIL: ({ host }) =>
    `HOST: ${host} is no address of this machine: choose one that is, for example HOST=127.0.0.1`,
  ENOTFOUND: ({ host }) =>
    `HOST: ${host} is unknown: give an address of this machine, for example HOST=127.0.0.1`,
}

/**
 * Resolves with the address to call.
 * @throws StartupError where the address cannot be had
 */
export async function listen(app: FastifyInstance, to: Address): Promise<string> {
  const { host, port } = to
  try {
    await app.listen({ host, port })
  } catch (error) {
    throw explained(error, to)
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const scheme = app.server instanceof HttpsServer ? 'https' : 'http'
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${bound}`
}

/**
 * Tries whether a start could listen there, by a port that nobody has: the service may be running.
 * @throws StartupError where it could not
 */
export async function checkHost(host: string): Promise<void> {
  const server = createServer()
  try {
    await once(server.listen({ host, port: 0 }), 'listening')
  } catch (error) {
    throw explained(error, { host, port: 0, variable: 'PORT' })
  }
  server.close()
}

function explained(error: unknown, to: Address): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  const remedy =
    REMEDIES[code] ?? (() => `HOST: ${to.host} cannot be listened on (${code}): choose another one`)
  return new StartupError(remedy(to))
}

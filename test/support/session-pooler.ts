import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** What PgBouncer takes of the parameters with which a connection begins, in session mode, too. */
const TAKEN = ['user', 'database', 'application_name', 'client_encoding', 'datestyle', 'timezone']

export interface SessionPooler {
  /** The database, by way of the pooler. */
  url: string
  close(): void
}

/** As strict as PgBouncer in session mode: a server for each client that begins with what it takes. */
export async function startSessionPooler(databaseUrl: string): Promise<SessionPooler> {
  const target = new URL(databaseUrl)
  const server = createServer((near) => {
    near.on('error', () => undefined)
    near.once('data', (packet) => {
      const refused = parametersOf(packet).find((name) => !TAKEN.includes(name.toLowerCase()))
      if (refused !== undefined) {
        near.end(errorResponse('08P01', `unsupported startup parameter: ${refused}`))
        return
      }
      const far = connect(Number(target.port), target.hostname)
      far.on('error', () => near.destroy())
      far.write(packet)
      near.pipe(far).pipe(near)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    close: () => server.close(),
  }
}

/** Behind length and version names and values stand in turn, each with a zero byte at its end. */
function parametersOf(packet: Buffer): string[] {
  const texts = packet.toString('utf8', 8).split('\0')
  return texts.filter((text, index) => index % 2 === 0 && text !== '')
}

function errorResponse(code: string, message: string): Buffer {
  const body = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** A way to Postgres that can be lost: connections are forwarded until the test says otherwise. */
export class TcpProxy {
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #held: (() => void)[] = []
  #server: Server
  #port = 0
  #stalled = false

  private constructor(target: URL) {
    this.#target = target
    this.#server = this.#createServer()
  }

  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(targetUrl))
    await proxy.#listen()
    return proxy
  }

  /** The target's URL, through the proxy. */
  get url(): string {
    return Object.assign(new URL(this.#target), { hostname: '127.0.0.1', port: String(this.#port) }).href
  }

  /** Cuts what is connected; who connects anew is forwarded. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Cuts what is connected, and refuses who connects anew. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  /** Connections stay and are made, but nothing comes through any more. */
  stall(): void {
    this.#stalled = true
  }

  /** All is well again; what was held back comes through, unless who sent it has gone. */
  async restore(): Promise<void> {
    this.#stalled = false
    for (const deliver of this.#held.splice(0)) deliver()
    if (!this.#server.listening) {
      this.#server = this.#createServer()
      await this.#listen()
    }
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse()
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  #createServer(): Server {
    return createServer((near) => {
      const far = connect(Number(this.#target.port), this.#target.hostname)
      this.#join(near, far)
      this.#join(far, near)
    })
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('data', (chunk) => {
      if (this.#stalled) this.#held.push(() => !from.destroyed && to.write(chunk))
      else to.write(chunk)
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}

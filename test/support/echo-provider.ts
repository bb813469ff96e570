import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What is said, or what is done instead: the connection cut, or nothing at all. */
type Said = { status: number; body: string; headers?: Record<string, string> } | 'cut' | 'hang'
export type EchoAnswer = (form: URLSearchParams) => Said

/** A token endpoint that says whatever the test makes of the form that it is sent. */
export class EchoProvider {
  readonly #server: Server
  answer: EchoAnswer
  requests = 0

  private constructor(answer: EchoAnswer) {
    this.answer = answer
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        this.requests += 1
        const said = this.answer(new URLSearchParams(body))
        if (said === 'hang') return
        if (said === 'cut') response.socket?.resetAndDestroy()
        else
          response
            .writeHead(said.status, { 'content-type': 'application/json', ...said.headers })
            .end(said.body)
      })
    })
  }

  static async start(answer: EchoAnswer): Promise<EchoProvider> {
    const provider = new EchoProvider(answer)
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

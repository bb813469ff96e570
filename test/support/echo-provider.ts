import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type EchoAnswer = (form: URLSearchParams) => { status: number; body: string }

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
        const { status, body: said } = this.answer(new URLSearchParams(body))
        response.writeHead(status, { 'content-type': 'application/json' }).end(said)
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

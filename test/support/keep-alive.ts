import { Agent, request } from 'node:http'

export interface PlainAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

export interface PlainRequest {
  method: string
  /** Sent as it is: nothing resolves its dots. */
  path: string
  headers: Record<string, string>
  body?: string | undefined
}

/** Many requests, one after the other, on a connection that stays open: several times as fast as fetch. */
export function keepAlive(url: string) {
  const agent = new Agent({ keepAlive: true })
  const { hostname, port } = new URL(url)
  return {
    send: ({ method, path, headers, body }: PlainRequest) =>
      new Promise<PlainAnswer>((resolve, reject) => {
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
        const sent = request({ agent, hostname, port, method, path, headers: { ...headers, ...length } })
        sent.on('error', reject)
        sent.on('response', (answer) => {
          let text = ''
          answer.setEncoding('utf8')
          answer.on('data', (chunk: string) => (text += chunk))
          answer.on('error', reject)
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
          })
        })
        sent.end(body)
      }),
    close: () => {
      agent.destroy()
    },
  }
}

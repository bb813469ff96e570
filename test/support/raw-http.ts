import { connect } from 'node:net'

/** Bytes to a service, what no HTTP client would send, and all that it answers until it closes, or we do. */
export function sendRaw(url: string, request: string | Buffer, hangUp = false): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answer)
    })
    if (hangUp) socket.end(request)
    else socket.write(request)
  })
}

/** A request of these lines, with an empty one and the body after them. */
export function rawRequest(lines: string[], body = ''): string {
  return [...lines, 'Host: vault', 'Connection: close', '', body].join('\r\n')
}

/** The first answer: its status, its headers as text and its JSON body. */
export function parseRaw(answer: string): { status: number; head: string; body: Record<string, unknown> } {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return {
    status: Number(head.split(' ')[1]),
    head,
    body: body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : {},
  }
}

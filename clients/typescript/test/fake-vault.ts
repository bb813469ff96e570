import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Token } from '../src/index.ts'

type Fields = Record<string, string | number | null | undefined>

/** One request that the vault has seen. */
export interface SeenRequest {
  method: string
  path: string
  query: URLSearchParams
  body: Fields
  authorization: string | undefined
  headers: IncomingMessage['headers']
}

/** What the vault is told to answer next instead of its own answer; status 0 breaks the connection. */
export interface Reply {
  status: number
  body?: unknown
  headers?: Record<string, string>
  delayMs?: number
}

const SECRETS = ['client_secret', 'refresh_token', 'grant_token'] as const
const CRITERIA = ['id', 'user_name', 'grant_token', 'refresh_token', 'access_token'] as const

export const problem = (status: number, code: string, more: object = {}) => ({
  status,
  body: {
    type: 'about:blank',
    title: code,
    status,
    code,
    detail: `It is ${code}.`,
    request_id: 'req-1',
    ...more,
  },
})

/**
 * A few lines of the vault's contract in memory, for what a real one can't be made to do on command: lose an
 * answer, be slow, be down. Matching and renewal are not imitated: a find takes the first criterion given.
 */
export class FakeVault {
  readonly requests: SeenRequest[] = []
  readonly tokens = new Map<string, Token>()
  /** What the API key lacks: `tokens:write` refuses saves, `tokens:read` hides all secrets but the access token. */
  lacking = new Set<'tokens:write' | 'tokens:read'>()
  readonly #replies: Reply[] = []
  readonly #server: Server
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#handle(request, response)
    })
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
    return this
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Queues answers for the next requests, one each. */
  next(...replies: Reply[]): void {
    this.#replies.push(...replies)
  }

  put(fields: Partial<Token> = {}): Token {
    const now = new Date().toISOString()
    const id = fields.id ?? `token-${this.tokens.size + 1}`
    const kept = { provider: 'zoho', status: 'active' as const, refreshable: true, version: 1 }
    const token = { ...kept, created_at: now, updated_at: now, ...fields, id }
    this.tokens.set(id, token)
    return token
  }

  asked(method: string, path: RegExp): SeenRequest[] {
    return this.requests.filter((request) => request.method === method && path.test(request.path))
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = await this.#see(request)
    const reply = this.#replies.shift() ?? this.#answer(seen)
    if (reply.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, reply.delayMs))
    if (reply.status === 0) {
      response.destroy()
      return
    }
    const type = reply.status < 400 ? 'application/json' : 'application/problem+json'
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    response.writeHead(reply.status, { 'content-type': type, ...reply.headers }).end(text)
  }

  async #see(request: IncomingMessage): Promise<SeenRequest> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const url = new URL(request.url ?? '/', this.url)
    const { method = 'GET', headers } = request
    const body = (text === '' ? {} : JSON.parse(text)) as Fields
    const seen = { method, path: url.pathname, query: url.searchParams, body, headers }
    const full = { ...seen, authorization: headers.authorization }
    this.requests.push(full)
    return full
  }

  #answer({ method, path, query, body }: SeenRequest): Reply {
    if (path === '/v1/tokens/find') return this.#shown(this.#find(body))
    if (path === '/v1/tokens' && method === 'POST') return this.#save(body)
    if (path === '/v1/tokens' && method === 'GET') return this.#list(query)
    if (path === '/v1/tokens' && method === 'DELETE') return this.#deleteMany()
    const id = decodeURIComponent(path.split('/')[3] ?? '')
    if (method === 'DELETE' || path.endsWith('/revoke')) {
      return this.tokens.delete(id) ? { status: 204 } : problem(404, 'not_found')
    }
    return this.#shown(this.tokens.get(id))
  }

  #find(body: Fields): Token | undefined {
    const criterion = CRITERIA.find((name) => body[name] != null)
    return [...this.tokens.values()].find(
      (token) => criterion !== undefined && token[criterion] === body[criterion],
    )
  }

  #save(body: Fields): Reply {
    if (this.lacking.has('tokens:write')) {
      return problem(403, 'insufficient_scope', { detail: 'The key lacks the scope tokens:write.' })
    }
    const stored = this.#find(body)
    const saved = this.put({ ...stored, ...(body as Partial<Token>), version: (stored?.version ?? 0) + 1 })
    return { status: stored ? 200 : 201, body: saved }
  }

  #list(query: URLSearchParams): Reply {
    const all = [...this.tokens.values()].map((token) => this.#visible(token))
    const from = Number(query.get('cursor') ?? 0)
    const to = from + Number(query.get('limit') ?? 100)
    return {
      status: 200,
      body: { tokens: all.slice(from, to), ...(to < all.length && { next_cursor: String(to) }) },
    }
  }

  #deleteMany(): Reply {
    const deleted = this.tokens.size
    this.tokens.clear()
    return { status: 200, body: { deleted } }
  }

  #shown(token: Token | undefined): Reply {
    return token === undefined ? problem(404, 'not_found') : { status: 200, body: this.#visible(token) }
  }

  #visible(token: Token): Token {
    if (!this.lacking.has('tokens:read')) return token
    return Object.fromEntries(
      Object.entries(token).filter(([name]) => !(SECRETS as readonly string[]).includes(name)),
    ) as Token
  }
}

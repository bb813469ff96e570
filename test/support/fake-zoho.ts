import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { ZohoGrants } from './fake-zoho-grants.ts'
import type { GrantPolicy, ZohoUser } from './fake-zoho-grants.ts'
import { makeTrouble, refuse, sendJson } from './fake-zoho-trouble.ts'
import type { Trouble } from './fake-zoho-trouble.ts'

export type { ZohoUser } from './fake-zoho-grants.ts'
export type { Trouble } from './fake-zoho-trouble.ts'

export type ZohoCallKind = 'exchange' | 'refresh' | 'revoke' | 'users' | 'org' | 'other'

/** One request that the stand-in has seen, in order. */
export interface ZohoCall {
  kind: ZohoCallKind
  /** The vault says who it is; everybody else is one of Zoho's SDKs, which call themselves what they like. */
  by: 'sdk' | 'vault'
  atMs: number
  /** The refresh or grant token presented, or the access token of an API call. */
  token: string | null
  /** Whose access token an API call brought; null for one that is no good. */
  user: string | null
  /** The names of the fields of the form, in order. */
  fields: string[]
}

const VAULT_AGENT = 'token-vault'

/**
 * Zoho for tests: accounts server and CRM API on one port of 127.0.0.1, whose address it answers as `api_domain`.
 * It knows one client and one user from the start; what it does wrong is up to the test.
 */
export class FakeZoho {
  readonly client = { id: '1000.FAKECLIENT', secret: 'fake-client-secret' }
  readonly user: ZohoUser = { email: 'ann@example.com', zgid: '4711' }
  readonly grants = new ZohoGrants()
  readonly calls: ZohoCall[] = []
  readonly #server: Server
  #troubles: { kind: ZohoCallKind; trouble: Trouble; left: number }[] = []

  private constructor() {
    this.grants.addClient(this.client.id, this.client.secret)
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined)
      })
    })
  }

  static async start(policy: Partial<GrantPolicy> = {}): Promise<FakeZoho> {
    const zoho = new FakeZoho()
    Object.assign(zoho.grants.policy, policy)
    await new Promise<void>((resolve, reject) => {
      zoho.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return zoho
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** A fresh authorization code, as the developer console gives it. */
  grant(user = this.user, clientId = this.client.id): string {
    return this.grants.createCode(clientId, user)
  }

  /** A refresh token that works, as if a login had been done before. */
  refreshToken(user = this.user): string {
    return this.grants.createRefreshToken(this.client.id, user)
  }

  /** The next `times` requests of a kind get this trouble; by default all until `recover`. */
  make(trouble: Trouble, kind: ZohoCallKind = 'refresh', times = Infinity): void {
    this.#troubles.push({ kind, trouble, left: times })
  }

  recover(): void {
    this.#troubles = []
  }

  count(kind: ZohoCallKind, by?: ZohoCall['by']): number {
    return this.calls.filter((call) => call.kind === kind && (by === undefined || call.by === by)).length
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const form = request.method === 'POST' ? await readForm(request) : new URLSearchParams()
    for (const [name, value] of url.searchParams) form.set(name, value)
    const call = this.#note(request, url.pathname, form)
    const trouble = this.#nextTrouble(call.kind)
    if (trouble !== null && typeof trouble === 'object' && 'delayMs' in trouble)
      await pause(trouble.delayMs ?? 0)
    if (trouble !== null && makeTrouble(response, trouble)) return
    if (call.kind === 'exchange' || call.kind === 'refresh')
      this.#answerToken(response, call.kind, form, trouble)
    else if (call.kind === 'revoke') this.#answerRevoke(response, form)
    else this.#answerApi(response, call)
  }

  #note(request: IncomingMessage, path: string, form: URLSearchParams): ZohoCall {
    const kind = kindOf(path, form)
    const bearer = /^Zoho-oauthtoken (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null
    const token = form.get('refresh_token') ?? form.get('code') ?? form.get('token') ?? bearer
    const user = bearer === null ? null : (this.grants.userOf(bearer)?.email ?? null)
    const by = request.headers['user-agent'] === VAULT_AGENT ? 'vault' : 'sdk'
    const call: ZohoCall = { kind, by, atMs: Date.now(), token, user, fields: [...form.keys()] }
    this.calls.push(call)
    return call
  }

  #nextTrouble(kind: ZohoCallKind): Trouble | null {
    const next = this.#troubles.find((trouble) => trouble.kind === kind && trouble.left > 0)
    if (next === undefined) return null
    next.left -= 1
    return next.trouble
  }

  #answerToken(
    response: ServerResponse,
    kind: 'exchange' | 'refresh',
    form: URLSearchParams,
    trouble: Trouble | null,
  ) {
    const [id, secret] = [form.get('client_id') ?? '', form.get('client_secret') ?? '']
    const verdict =
      kind === 'exchange'
        ? this.grants.exchange(form)
        : this.grants.refresh(id, secret, form.get('refresh_token') ?? '')
    if (trouble === 'unheard') return
    if ('error' in verdict) {
      refuse(response, verdict.error)
      return
    }
    sendJson(response, 200, {
      access_token: verdict.accessToken,
      ...(verdict.refreshToken !== undefined && { refresh_token: verdict.refreshToken }),
      api_domain: this.url,
      token_type: 'Bearer',
      ...expiryAs(trouble, verdict.lifetimeSeconds),
    })
  }

  #answerRevoke(response: ServerResponse, form: URLSearchParams): void {
    if (this.grants.revoke(form.get('token') ?? '')) sendJson(response, 200, { status: 'success' })
    else sendJson(response, 400, { error: 'invalid_code' })
  }

  #answerApi(response: ServerResponse, call: ZohoCall): void {
    const user = call.token === null ? null : this.grants.userOf(call.token)
    if (user === null) {
      sendJson(response, 401, {
        code: 'INVALID_TOKEN',
        details: {},
        message: 'invalid oauth token',
        status: 'error',
      })
    } else if (call.kind === 'users') {
      sendJson(response, 200, {
        users: [{ id: '1', email: user.email, last_name: 'Example', status: 'active' }],
      })
    } else if (call.kind === 'org') {
      sendJson(response, 200, { org: [{ id: '2', zgid: user.zgid, company_name: 'Example' }] })
    } else
      sendJson(response, 404, {
        code: 'INVALID_URL_PATTERN',
        details: {},
        message: 'no such page',
        status: 'error',
      })
  }
}

function expiryAs(trouble: Trouble | null, lifetimeSeconds: number): Record<string, number> {
  if (trouble === 'no_expires_in') return {}
  if (trouble !== 'expires_in_sec') return { expires_in: lifetimeSeconds }
  return { expires_in_sec: lifetimeSeconds, expires_in: lifetimeSeconds * 1000 }
}

function kindOf(path: string, form: URLSearchParams): ZohoCallKind {
  if (path === '/oauth/v2/token')
    return form.get('grant_type') === 'authorization_code' ? 'exchange' : 'refresh'
  if (path === '/oauth/v2/token/revoke') return 'revoke'
  if (path === '/crm/v8/users') return 'users'
  return path === '/crm/v8/org' ? 'org' : 'other'
}

/** The fields of an urlencoded or multipart body. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const type = request.headers['content-type'] ?? ''
  const body = Buffer.concat(chunks).toString()
  if (type.includes('urlencoded')) return new URLSearchParams(body)
  const parts = type.includes('multipart') ? body.matchAll(PART) : []
  return new URLSearchParams(
    Array.from(parts, ([, name = '', value = '']): [string, string] => [name, value]),
  )
}

/** The name and the value of a field: headers, an empty line, and what stands before the next boundary. */
const PART = /; name="([^"]*)"(?:\r\n[^\r\n]+)*\r\n\r\n([\s\S]*?)\r\n--/g

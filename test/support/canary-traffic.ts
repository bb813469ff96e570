import { once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'vitest'
import type { CanaryVault } from './canary-vault.ts'
import type { EchoAnswer } from './echo-provider.ts'
import { eventually } from './embedded-processes.ts'
import type { Operation } from './openapi-requests.ts'

const CLIENTS = 4

/** A token with secrets in every field that has one, as it is sent. */
function fieldsOf({ secrets, controls, providerName }: CanaryVault, number: number) {
  return {
    id: controls.id(),
    user_name: `user-${number}`,
    provider: providerName,
    client_id: `client-${number % CLIENTS}`,
    client_secret: secrets.secret(),
    refresh_token: secrets.secret(),
    access_token: secrets.secret(),
    grant_token: secrets.secret(),
    expires_in: number % 2 === 0 ? 0 : 3600,
  }
}

/** The life of a token: saved, found by each criterion, renewed, listed, saved again. */
export async function live(vault: CanaryVault, number: number): Promise<string> {
  const fields = fieldsOf(vault, number)
  const { id, user_name, client_id, refresh_token, access_token, grant_token } = fields
  expect(await vault.call('POST', '/v1/tokens', fields)).toMatchObject({ status: 201 })
  for (const criterion of [
    { id },
    { user_name },
    { refresh_token },
    { access_token },
    { grant_token },
    { access_token, client_id },
  ]) {
    const found = await vault.call('POST', '/v1/tokens/find', criterion)
    expect(found).toMatchObject({ status: 200, body: { id } })
  }
  for (const [method, path, body] of [
    ['GET', `/v1/tokens/${id}/access-token`],
    ['POST', '/v1/access-token', { refresh_token }],
    ['POST', `/v1/tokens/${id}/refresh`],
    ['POST', '/v1/tokens', { id, access_token: vault.secrets.secret(), scope: 'crm' }],
    ['GET', `/v1/tokens/${id}?min_ttl=60`],
    ['GET', `/v1/tokens/${id}/events`],
  ] as const) {
    expect(await vault.call(method, path, body)).toMatchObject({ status: 200 })
  }
  return id
}

/** An authorization code, as it is brought to be traded. */
function codeOf({ secrets, providerName }: CanaryVault, user_name: string) {
  return {
    provider: providerName,
    client_id: 'client-0',
    client_secret: secrets.secret(),
    grant_token: secrets.secret(),
    redirect_url: 'https://app.example/callback',
    user_name,
  }
}

/** The secret that a request to the provider is about. */
function sentIn(form: URLSearchParams): string {
  return form.get('refresh_token') ?? form.get('code') ?? form.get('token') ?? ''
}

/** What has no token of its own; with what was lived, every operation of the document succeeds at least once. */
export async function useTheRest(vault: CanaryVault, ids: string[]): Promise<void> {
  const exchanged = await vault.call('POST', '/v1/tokens/exchange', codeOf(vault, 'exchanged'))
  expect(exchanged).toMatchObject({ status: 201 })
  const revoked = await vault.call('POST', `/v1/tokens/${String(exchanged.body['id'])}/revoke`)
  expect(revoked).toMatchObject({ status: 204 })
  const listed = await vault.call('GET', '/v1/tokens?include=secrets&limit=1000')
  expect(vault.secrets.isIn(listed.text)).toBe(true)
  await vault.call('GET', '/v1/events')
  const asked = { name: 'other', scopes: ['tokens:list'] }
  const { body } = await vault.call('POST', '/v1/keys', asked)
  await vault.call('GET', '/v1/keys')
  await vault.call('DELETE', `/v1/keys/${String(body['id'])}`)
  await vault.call('DELETE', `/v1/tokens/${ids[0] ?? ''}`)
  expect(await vault.call('DELETE', '/v1/tokens?client_id=client-1')).toMatchObject({ status: 200 })
  for (const path of ['/healthz', '/readyz', '/openapi.json']) await vault.call('GET', path)
}

const OPENAPI_ERROR = (secret: string) =>
  JSON.stringify({ error: 'invalid_scope', error_description: secret })

/** Each shape of a provider's error, with the refresh token in it. */
const ECHOES: ((token: string, vault: CanaryVault) => ReturnType<EchoAnswer>)[] = [
  (token) => ({ status: 400, body: JSON.stringify({ error: token, error_description: token }) }),
  (token) => ({ status: 400, body: JSON.stringify({ error: 'invalid_grant', error_description: token }) }),
  (token) => ({ status: 401, body: JSON.stringify({ error: 'invalid_client', error_description: token }) }),
  (token) => ({
    status: 400,
    body: JSON.stringify({ error: 'invalid_scope', error_uri: `https://x/?${token}` }),
  }),
  (token) => ({ status: 200, body: JSON.stringify({ error: 'Access Denied', error_description: token }) }),
  (token) => ({ status: 429, body: token, headers: { 'retry-after': encodeURIComponent(token) } }),
  (token) => ({ status: 500, body: `no such token: ${token}` }),
  (token) => ({ status: 503, body: `<html>${token}`, headers: { 'content-type': 'text/html' } }),
  (token) => ({ status: 200, body: `<html>${token}` }),
  (token) => ({ status: 200, body: JSON.stringify({ access_token: [token], error: '' }) }),
  (token) => ({ status: 200, body: JSON.stringify({ access_token: `${token}\n`, expires_in: token }) }),
  (token) => ({ status: 200, body: JSON.stringify({ refresh_token: token }) }),
  (token) => ({ status: 200, body: `{"access_token":"${token.replaceAll('"', '')}` }),
  (token) => ({ status: 200, body: JSON.stringify({ access_token: token.repeat(2000) }) }),
  (token) => ({ status: 302, body: '', headers: { location: `/token?token=${encodeURIComponent(token)}` } }),
  (token) => ({
    status: 400,
    body: OPENAPI_ERROR(token),
    headers: { 'set-cookie': encodeURIComponent(token) },
  }),
  (token) => ({ status: 400, body: OPENAPI_ERROR(token), headers: { 'x-echo': token.replaceAll('é', '') } }),
  () => 'cut',
  () => 'hang',
  (token, vault) => {
    vault.database.cut()
    return { status: 500, body: token }
  },
]

/**
 * Every error of a provider, each told of another token, of another code and of another revocation, with a renewal
 * that goes well between one and the next.
 */
export async function meetProviderErrors(vault: CanaryVault): Promise<number> {
  const { provider } = vault
  const well = provider.answer
  for (const [number, echo] of ECHOES.entries()) {
    const { id } = fieldsOf(vault, number)
    const fields = { ...fieldsOf(vault, number), id, user_name: `unlucky-${number}`, expires_in: 0 }
    const code = codeOf(vault, `code-${number}`)
    if (number === 0) fields.refresh_token = code.grant_token = vault.secrets.token()
    expect((await vault.call('POST', '/v1/tokens', fields)).status).toBe(201)
    provider.answer = (form) => echo(sentIn(form), vault)
    for (const [path, body] of [[`/v1/tokens/${id}/refresh`], ['/v1/tokens/exchange', code]] as const) {
      const asked = provider.requests
      const refused = await vault.call('POST', path, body)
      expect([number, refused.status >= 400, provider.requests]).toEqual([number, true, asked + 1])
    }
    await vault.call('POST', `/v1/tokens/${id}/revoke`)
    provider.answer = well
    await vault.call('GET', `/v1/tokens/${id}/events`)
    const healthy = fieldsOf(vault, number)
    await vault.call('POST', '/v1/tokens', { ...healthy, user_name: `lucky-${number}` })
    const renewed = async () => (await vault.call('POST', `/v1/tokens/${healthy.id}/refresh`)).status === 200
    expect(await eventually(renewed)).toBe(true)
  }
  return ECHOES.length
}

/** Every operation with secrets wherever one may stand by mistake. */
export async function misuse(vault: CanaryVault, paths: Record<string, Record<string, Operation>>) {
  const { secrets, call } = { secrets: vault.secrets, call: vault.call.bind(vault) }
  const inUrl = () => encodeURIComponent(secrets.secret())
  for (const [template, methods] of Object.entries(paths)) {
    for (const [name, { parameters = [], requestBody }] of Object.entries(methods)) {
      const [method, path] = [name.toUpperCase(), template.replace('{id}', 'nobody')]
      const schema = requestBody?.content['application/json']?.schema
      const sendBody = (body: unknown, headers = {}) => call(method, path, body, headers)
      await call(method, template.replace('{id}', inUrl))
      // Not where an id stands: what has the characters of one is taken for one, and ids are no secret.
      await call(method, `${path}/nowhere/${secrets.id()}`)
      await call('PURGE', `${path}?token=${inUrl()}`)
      await call(method, `${path}?token=${inUrl()}&token=${inUrl()}`)
      for (const query of parameters.filter((parameter) => parameter.in === 'query'))
        await call(method, `${path}?${query.name}=%0A${inUrl()}`)
      const misplaced = {
        'if-match': secrets.id(),
        'x-request-id': secrets.id(),
        cookie: `a=${secrets.id()}`,
      }
      await call(method, `${path}?surprise=1`, undefined, { ...misplaced, 'x-token': secrets.id() })
      await call(method, path, undefined, { authorization: `Bearer ${secrets.id()}` })
      await call(method, path, undefined, { authorization: `Bearer tv_wrong_${secrets.id()}` })
      // Their answers name the field to who has sent it: only the other places are searched for it.
      await call(method, `${path}?${inUrl()}=${inUrl()}`)
      vault.answers.pop()
      if (method === 'GET') continue
      await sendBody({ [secrets.secret()]: secrets.secret() })
      vault.answers.pop()
      await sendBody(`{"refresh_token": "${secrets.secret()}`)
      await sendBody(secrets.secret(), { 'content-type': 'text/plain' })
      await sendBody({ refresh_token: secrets.secret().repeat(2500) })
      await sendBody([secrets.secret(), { [secrets.secret()]: secrets.secret() }])
      await sendBody(`{"access_token":${JSON.stringify(secrets.secret())},"access_token":"x"}`)
      await sendBody({ client_secret: secrets.secret() })
      for (const field of Object.keys(schema?.properties ?? {})) {
        for (const wrong of [[secrets.secret()], { nested: secrets.secret() }, `${secrets.secret()}\n`])
          await sendBody({ [field]: wrong })
      }
    }
  }
  await notHttp(vault, `GET ${secrets.secret()} /nothing\r\nAuthorization: ${secrets.secret()}\r\n\r\n`)
  await notHttp(vault, `POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n${secrets.secret()}`)
}

async function notHttp(vault: CanaryVault, text: string): Promise<void> {
  const socket = connect(Number(new URL(vault.settings.url).port), '127.0.0.1')
  socket.on('error', () => undefined).resume()
  socket.end(text)
  await once(socket, 'close')
}

/** While the database, or the audit log, is away: what is sent meanwhile leaves no trace either. */
export async function sufferOutages(vault: CanaryVault, id: string): Promise<void> {
  const tryAll = async () => {
    const { secrets } = vault
    const answers = [
      await vault.call('POST', '/v1/tokens', { refresh_token: secrets.secret(), provider: 'nowhere' }),
      await vault.call('POST', '/v1/tokens/find', { id, access_token: secrets.secret() }),
      await vault.call('POST', '/v1/access-token', { id, refresh_token: secrets.secret() }),
      await vault.call('GET', `/v1/tokens/${id}`),
      await vault.call('POST', `/v1/tokens/${id}/refresh`),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503))
  }
  await vault.database.refuse()
  await tryAll()
  await vault.database.restore()
  await vault.untilReadyIs(200)
  await vault.withoutAudit(tryAll)
}

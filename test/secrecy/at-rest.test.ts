import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/store/embedded-postgres.ts'
import { createDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { EchoProvider } from '../support/echo-provider.ts'
import { query } from '../support/embedded-processes.ts'
import { Room } from '../support/embedded-room.ts'
import { filesWith, finds, Planting } from '../support/planted.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

/** Postgres writes down all that it hears: statements, parameters, durations and errors. */
const TALKATIVE = {
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'all.log',
  log_statement: 'all',
  log_min_duration_statement: '0',
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug5',
  log_error_verbosity: 'verbose',
  log_parameter_max_length: '-1',
  log_parameter_max_length_on_error: '-1',
}
const TOKENS = 40

const room = new Room()
const secrets = new Planting()
const controls = new Planting()
let postgres: EmbeddedPostgres
let provider: EchoProvider
let vault: TestVault

beforeAll(async () => {
  room.open()
  postgres = await room.start({ settings: TALKATIVE })
  const database = createDatabase({
    urls: [postgres.url],
    size: 1,
    name: 'migrations',
    onLost: () => undefined,
  })
  await migrate(database.db)
  await database.close()
  provider = await EchoProvider.start(() => ({
    status: 200,
    body: JSON.stringify({
      access_token: secrets.secret(),
      refresh_token: secrets.secret(),
      expires_in: 3600,
      id_token: secrets.secret(),
    }),
  }))
  const acme = {
    name: 'acme',
    token_url: provider.url,
    rotates: 'always',
    client_auth: 'basic',
    min_interval: 0,
  }
  vault = await startVault({
    databaseUrl: postgres.url,
    env: { TOKEN_VAULT_REFRESHER: 'off' },
    providers: { providers: [acme] },
  })
  const ids = await liveThrough()
  await suffer(ids)
  await vault.call('DELETE', `/v1/tokens/${ids[0] ?? ''}`)
  await vault.call('DELETE', '/v1/tokens?client_id=client-1')
})
afterAll(async () => {
  await vault.close()
  await provider.close()
  await room.close()
})

/** The life of tokens: saved, renewed, found by each secret, listed, saved again. */
async function liveThrough(): Promise<string[]> {
  const ids: string[] = []
  for (let number = 0; number < TOKENS; number += 1) {
    const fields = {
      id: controls.id(),
      user_name: `user-${number}`,
      provider: 'acme',
      client_id: `client-${number % 4}`,
      client_secret: secrets.secret(),
      refresh_token: secrets.secret(),
      access_token: secrets.secret(),
      grant_token: secrets.secret(),
      expires_in: number % 2 === 0 ? 0 : 3600,
    }
    const saved = await vault.save(fields)
    expect(saved.status).toBe(201)
    ids.push(fields.id)
    const { client_id, refresh_token, access_token, grant_token } = fields
    for (const criterion of [
      { refresh_token },
      { access_token },
      { grant_token },
      { access_token, client_id },
    ]) {
      expect(await vault.find(criterion)).toMatchObject({ status: 200, body: { id: fields.id } })
    }
    if (number % 2 === 0)
      expect((await vault.call('GET', `/v1/tokens/${fields.id}/access-token`)).status).toBe(200)
    await vault.save({ id: fields.id, access_token: secrets.secret(), scope: 'crm' })
  }
  const listed = await vault.call('GET', '/v1/tokens?include=secrets')
  expect(secrets.isIn(listed.text)).toBe(true)
  return ids
}

/** All that can go wrong, with a secret in each place where somebody may put one by mistake. */
async function suffer(ids: string[]): Promise<void> {
  const refresh = (number: number) => vault.call('POST', `/v1/tokens/${ids[number] ?? ''}/refresh`)
  const echoes: ((form: URLSearchParams) => [number, string])[] = [
    (form) => [
      400,
      JSON.stringify({ error: form.get('refresh_token'), error_description: secrets.secret() }),
    ],
    (form) => [400, JSON.stringify({ error: 'invalid_grant', error_description: form.get('refresh_token') })],
    (form) => [500, `no such token: ${form.get('refresh_token') ?? ''}`],
    (form) => [200, `<html>${form.get('refresh_token') ?? ''}`],
    (form) => [200, JSON.stringify({ access_token: [form.get('refresh_token')], error: '' })],
  ]
  const { answer } = provider
  for (const [number, echo] of echoes.entries()) {
    provider.answer = (form) => {
      const [status, body] = echo(form)
      return { status, body }
    }
    expect((await refresh(number * 2 + 1)).status).toBeGreaterThanOrEqual(400)
  }
  provider.answer = answer
  const bad = secrets
  const wrongKey = { authorization: `Bearer tv_wrong_${bad.secret()}` }
  const answers = await Promise.all([
    vault.call('GET', '/v1/tokens', undefined, wrongKey),
    vault.save({ [bad.secret()]: bad.secret() }),
    vault.save({ id: bad.secret() }),
    vault.save({ refresh_token: { nested: bad.secret() } }),
    vault.save({ refresh_token: `${bad.secret()}\n` }),
    vault.save({ refresh_token: bad.secret().repeat(1000) }),
    vault.save({ expires_at: bad.secret() }),
    vault.save({ access_token: bad.secret(), api_domain: `https://${bad.secret()}` }),
    vault.find({ refresh_token: bad.secret() }),
    vault.find({ access_token: bad.secret(), min_ttl: 60 }),
    vault.call('POST', '/v1/tokens', `{"refresh_token": "${bad.secret()}`),
    vault.call('POST', '/v1/tokens', bad.secret(), { 'content-type': 'text/plain' }),
    vault.call('POST', '/v1/tokens', { access_token: bad.secret() }, { 'if-match': bad.id() }),
    vault.call('GET', `/v1/tokens/${encodeURIComponent(bad.secret())}`),
    vault.call('GET', `/v1/tokens?refresh_token=${encodeURIComponent(bad.secret())}`),
    vault.call('GET', `/v1/tokens?cursor=${encodeURIComponent(bad.secret())}`),
    vault.call('GET', `/v1/nowhere/${bad.id()}?token=${bad.id()}`),
    vault.call('PATCH', `/v1/tokens?token=${bad.id()}`),
  ])
  expect(answers.filter(({ status }) => status < 400 || status >= 500)).toEqual([])
  await notHttp(`GET ${bad.secret()} /nothing\r\nAuthorization: ${bad.secret()}\r\n\r\n`)
}

async function notHttp(text: string): Promise<void> {
  const socket = connect(Number(new URL(vault.url).port), '127.0.0.1')
  socket.on('error', () => undefined).resume()
  socket.end(text)
  await once(socket, 'close')
}

/** Every row of every table, as text. */
async function rows(): Promise<string> {
  const tables = await query(
    postgres.url,
    `select tablename as name from pg_tables where schemaname = 'public'`,
  )
  const texts = await Promise.all(
    tables.map(({ name }) =>
      query(postgres.url, `select row_to_json(t)::text || t::text as row from ${String(name)} t`),
    ),
  )
  return texts
    .flat()
    .map(({ row }) => String(row))
    .join('\n')
}

const files = (planting: Planting) => filesWith(postgres.directory, (content) => planting.isIn(content))

test('at least 200 secrets were planted, and the vault knows them', async () => {
  expect(secrets.planted.length).toBeGreaterThanOrEqual(200)
  expect(secrets.isIn((await vault.call('GET', '/v1/tokens?include=secrets')).text)).toBe(true)
})

describe('no secret stands in', () => {
  test('any row of any table, where the search finds what is stored in clear text', async () => {
    const text = await rows()
    expect(controls.isIn(text)).toBe(true)
    expect(secrets.isIn(text)).toBe(false)
  })

  test('any data file, write-ahead log or log of Postgres, before and after a checkpoint', async () => {
    const isIn = (kind: RegExp, found: string[]) => found.some((file) => kind.test(file))
    expect(files(secrets)).toEqual([])
    await query(postgres.url, 'checkpoint')
    const found = files(controls)
    expect([/\/base\//, /\/pg_wal\//, /\/log\/all\.log/].map((kind) => isIn(kind, found))).toEqual([
      true,
      true,
      true,
    ])
    expect(files(secrets)).toEqual([])
  })

  test("the service's log, which names the token by its id", () => {
    expect(controls.isIn(vault.log())).toBe(true)
    expect(secrets.isIn(vault.log())).toBe(false)
    expect(vault.log()).not.toMatch(/select |insert |update /i)
  })

  test('an answer that discloses no token', async () => {
    const answers = await Promise.all([
      vault.call('GET', '/v1/tokens'),
      vault.call('GET', '/openapi.json'),
      vault.call('GET', '/readyz'),
      vault.call('GET', '/docs/'),
    ])
    expect(secrets.isIn(...answers.map(({ text }) => text))).toBe(false)
  })

  test.each(['API key', 'master key'])('any of these places is the %s', async (what) => {
    const [, base64 = ''] = vault.masterKeys.split(':')
    const key = what === 'API key' ? (vault.key.split('_')[2] ?? '') : base64
    const bytes = Buffer.from(key, 'base64')
    const isIn = (content: Buffer) => finds(content, key) || content.includes(bytes)
    expect(filesWith(postgres.directory, isIn)).toEqual([])
    expect(isIn(Buffer.from(`${vault.log()}${await rows()}`))).toBe(false)
  })
})

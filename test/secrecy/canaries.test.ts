import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { live, meetProviderErrors, misuse, sufferOutages, useTheRest } from '../support/canary-traffic.ts'
import { CanaryVault } from '../support/canary-vault.ts'
import { query } from '../support/embedded-processes.ts'
import type { Operation } from '../support/openapi-requests.ts'
import { filesWith, finds } from '../support/planted.ts'
import type { Planting } from '../support/planted.ts'

const LIVES = 100
const AT_ONCE = 5
const vault = new CanaryVault()
const { secrets, controls } = vault
let operations: [method: string, path: string][]

beforeAll(async () => {
  await vault.start()
  const { body } = await vault.call('GET', '/openapi.json')
  const paths = body['paths'] as Record<string, Record<string, Operation>>
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method): [string, string] => [method.toUpperCase(), path]),
  )
  const ids: string[] = []
  for (let from = 0; from < LIVES; from += AT_ONCE) {
    const lives = Array.from({ length: AT_ONCE }, (_, index) => live(vault, from + index))
    ids.push(...(await Promise.all(lives)))
  }
  await meetProviderErrors(vault)
  await misuse(vault, paths)
  await sufferOutages(vault, ids[2] ?? '')
  await useTheRest(vault, ids)
}, 120_000)
afterAll(() => vault.close())

test('a thousand secrets were sent, and each operation of the document took some and succeeded', () => {
  expect(secrets.planted.length).toBeGreaterThanOrEqual(1000)
  const succeeded = vault.answers.filter(({ status }) => status < 300)
  const missing = operations.filter(([method, path]) => {
    const url = new RegExp(`^${method} ${path.replaceAll('.', '\\.').replaceAll('{id}', '[^/]+')}$`)
    return !succeeded.some(({ route }) => url.test(route))
  })
  expect(missing).toEqual([])
})

/** Every row of every table, as text. */
async function rows(): Promise<string> {
  const { url } = vault.postgres
  const names = await query(url, `select tablename as name from pg_tables where schemaname = 'public'`)
  const texts = await Promise.all(
    names.map(({ name }) =>
      query(url, `select row_to_json(t)::text || t::text as row from ${String(name)} t`),
    ),
  )
  const all = texts.flat().map(({ row }) => String(row))
  return all.join('\n')
}

const files = (planting: Planting, folder = vault.postgres.directory) =>
  filesWith(folder, (content) => planting.isIn(content))

describe('no secret stands, in any encoding, where what else was sent is found: in', () => {
  test('any row of any table', async () => {
    const text = await rows()
    expect(controls.isIn(text)).toBe(true)
    expect(secrets.isIn(text)).toBe(false)
  })

  test('any data file, write-ahead log or log of Postgres, before and after a checkpoint', async () => {
    expect(files(secrets)).toEqual([])
    await query(vault.postgres.url, 'checkpoint')
    const found = files(controls)
    for (const place of [/\/base\//, /\/pg_wal\//, /\/log\/all\.log/])
      expect(found).toContainEqual(expect.stringMatching(place))
    expect(files(secrets)).toEqual([])
  })

  test("the service's log at trace", () => {
    expect(controls.isIn(vault.log())).toBe(true)
    expect(secrets.isIn(vault.log())).toBe(false)
    expect(vault.log()).not.toMatch(/select |insert |update /i)
  })

  test('the audit log', () => {
    expect(files(controls, vault.auditFolder)).toHaveLength(1)
    expect(files(secrets, vault.auditFolder)).toEqual([])
  })

  test('the heap, once its garbage is collected', async () => {
    const snapshot = await vault.heapSnapshot()
    expect(controls.isIn(snapshot)).toBe(true)
    expect(secrets.isIn(snapshot)).toBe(false)
  }, 60_000)
})

test('no error tells a secret, its headers included', () => {
  const errors = vault.answers.filter(({ status }) => status >= 400)
  expect(new Set(errors.map(({ status }) => status))).toEqual(
    new Set([400, 401, 404, 405, 409, 413, 415, 422, 502, 503]),
  )
  expect(errors.filter(({ text }) => secrets.isIn(text)).map(({ route, text }) => [route, text])).toEqual([])
})

test.each(['/openapi.json', '/docs/', '/readyz', '/metrics', '/v1/tokens', '/v1/events'])(
  'no secret stands in %s',
  async (path) => {
    const { status, text } = await vault.call('GET', path)
    expect(status).toBe(200)
    expect(secrets.isIn(text)).toBe(false)
    expect(secrets.isIn(`${text}${secrets.planted[0] ?? ''}`)).toBe(true)
  },
)

test.each(['API key', 'master key'])('the %s stands in none of these places', async (what) => {
  const { apiKey, env } = vault.settings
  const [, base64 = ''] = (env['TOKEN_VAULT_MASTER_KEYS'] ?? '').split(':')
  const key = what === 'API key' ? apiKey.split('_').slice(2).join('_') : base64
  const bytes = Buffer.from(key, 'base64')
  const isIn = (content: Buffer) => finds(content, key) || content.includes(bytes)
  expect(filesWith(vault.postgres.directory, isIn)).toEqual([])
  expect(filesWith(vault.auditFolder, isIn)).toEqual([])
  expect(isIn(Buffer.from(`${vault.log()}${await rows()}`))).toBe(false)
})

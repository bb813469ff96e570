import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCOPES } from '../../src/domain/caller.ts'
import type { Scope } from '../../src/domain/caller.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { keepAlive } from '../support/keep-alive.ts'
import type { PlainAnswer } from '../support/keep-alive.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { makeNamespace } from '../support/namespaces.ts'
import { EchoProvider } from '../support/echo-provider.ts'
import { createRandom } from '../support/random.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'
import type { Named, Request, Values } from '../support/verbs.ts'
import { ask, VERBS } from '../support/verbs.ts'

/** Printed, and to be given again: a failure repeats. */
const SEED = Number(process.env['WALLS_SEED'] ?? randomInt(2 ** 31))
const TUPLES = 10_000
const TUPLES_A_ROUND = 200
const random = createRandom(SEED)
const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item

const SIDES = ['north', 'south'] as const
type Side = (typeof SIDES)[number]
const OTHER = { north: 'south', south: 'north' } as const

/** Keys of every kind: what each may do stays the same on both sides of the wall. */
const KINDS: Scope[][] = [
  [...SCOPES],
  ['tokens:read', 'tokens:write', 'tokens:delete', 'admin'],
  ['tokens:list'],
  ['tokens:use'],
  ['tokens:read'],
  ['tokens:write'],
  ['tokens:delete'],
  ['admin'],
]
/** Of a key that nobody uses, for others to revoke. */
const SPARE: Scope[] = ['admin']
const keysOf = (side: Side) => namespaces[side].keys.slice(0, -1).map(({ key }) => key)
const spareKeyOf = (side: Side) => namespaces[side].keys.at(-1)?.id ?? ''

let database: TestDatabase
let vault: TestVault
let provider: EchoProvider
let client: ReturnType<typeof keepAlive>
const namespaces = {} as Record<Side, TestNamespace>

beforeAll(async () => {
  database = await createTestDatabase()
  const env = { TOKEN_VAULT_REFRESHER: 'off', LOG_LEVEL: 'error' }
  provider = await EchoProvider.start((form) => tradeAt(form.get('code') ?? ''))
  const providers = tradedAt().map((name) => ({ name, token_url: provider.url }))
  vault = await startVault({ databaseUrl: database.url, env, providers: { providers } })
  client = keepAlive(vault.url)
  for (const side of SIDES) namespaces[side] = await makeNamespace(database.url, side, [...KINDS, SPARE])
  for (const side of SIDES) for (const token of tokensOf(side)) await save(side, token)
  console.info(`WALLS_SEED=${SEED}`)
})

afterAll(async () => {
  client.close()
  await vault.close()
  await provider.close()
  await database.drop()
})

function valuesOf(name: string, side: Side): Values {
  const field = (kind: string) => `${kind}-${name}-a`
  return {
    id: name,
    user_name: field('user'),
    client_id: field('client'),
    client_secret: secretOf(side),
    provider: field('provider'),
    refresh_token: field('refresh'),
    grant_token: field('grant'),
    access_token: field('access'),
  }
}

/** In the answer to a caller of the other side it would tell of a hole in the wall. */
const secretOf = (side: Side) => `the-secret-of-${side}`
const NUMBERS = [0, 1, 2]
/** Both namespaces have them: one id, one user, one refresh token, two secrets. The vault renews at no such provider. */
const sharedTokens = (side: Side) => NUMBERS.map((number) => valuesOf(`shared-${number}`, side))
/** Only this namespace has them; a caller of the other one can trade their codes: the vault knows their providers. */
const ownTokens = (side: Side) => NUMBERS.map((number) => valuesOf(`only-${side}-${number}`, side))
const tokensOf = (side: Side) => [...sharedTokens(side), ...ownTokens(side)]

/** Of the same length and the same place in every order, but nobody has it. */
const twinOf = (text: string) => `${text.slice(0, -1)}${text.endsWith('z') ? 'y' : 'z'}`
function twinsOf({ client_secret, ...named }: Named): Named {
  const twins = Object.entries(named).map(([field, value]) => [field, twinOf(value)])
  return { ...(Object.fromEntries(twins) as typeof named), client_secret }
}

/** The providers of what only one side has, and those of its twins. */
const tradedAt = () => SIDES.flatMap(ownTokens).flatMap(({ provider: name }) => [name, twinOf(name)])

/** One code in three is refused. */
const tradeAt = (code: string) =>
  code.includes('-0-')
    ? { status: 400, body: '{"error":"invalid_grant"}' }
    : { status: 200, body: JSON.stringify({ access_token: `traded-${code}`, expires_in: 3600 }) }

function send({ method, path, body, headers }: Request, key: string): Promise<PlainAnswer> {
  const bearer = { authorization: `Bearer ${key}` }
  if (body === undefined) return client.send({ method, path, headers: bearer })
  const json = { 'content-type': 'application/json', ...bearer, ...headers }
  return client.send({ method, path, headers: json, body: JSON.stringify(body) })
}

async function save(side: Side, values: Values): Promise<void> {
  const { status } = await send(ask('POST', '/v1/tokens', values), keysOf(side)[0] ?? '')
  expect([200, 201]).toContain(status)
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g

/** All that a caller could tell two answers apart by, were it not for what it sent and for the clock. */
function lookOf({ status, headers, text }: PlainAnswer, sent: Named) {
  const blur = (given: string) =>
    Object.values<string>({ ...sent })
      .toSorted((one, other) => other.length - one.length)
      .reduce((blurred, value) => blurred.replaceAll(value, '(sent)'), given)
      .replaceAll(UUID, '(uuid)')
      .replaceAll(TIME, '(time)')
      .replaceAll(',"last_used_at":"(time)"', '')
  const { 'content-length': length, ...seen } = headers
  expect(Number(length ?? 0)).toBe(Buffer.byteLength(text))
  const told = JSON.stringify({ ...seen, 'x-request-id': '', date: '' })
  return { status, headers: blur(told), body: blur(text) }
}

/** Every row of a namespace, but when its keys were used last. */
async function rowsOf(side: Side): Promise<string[]> {
  const tables = ['tokens', 'refresh_tokens', 'events', 'data_keys', 'api_keys', 'exchanges', 'clients']
  const selects = tables.map(
    (
      table,
    ) => `select '${table}' || (to_jsonb(t)${table === 'api_keys' ? " - 'last_used_at'" : ''})::text as row
      from ${table} t where namespace_id = $1`,
  )
  const text = `${selects.join(' union all ')} order by row`
  const rows = await database.query<{ row: string }>(text, [namespaces[side].id])
  return rows.map(({ row }) => row)
}

/** What its own earlier requests note in the background must not look like a hole: nothing is left to note. */
async function noteUses(side: Side): Promise<void> {
  await database.query('update tokens set last_used_at = now() where namespace_id = $1', [
    namespaces[side].id,
  ])
}

/** Takes away what a caller saved or tried to trade under the names that it guessed, and gives back what it deleted. */
async function restore(side: Side): Promise<void> {
  const { id } = namespaces[side]
  const ids = tokensOf(side).map((token) => token.id)
  await database.query('delete from tokens where namespace_id = $1 and not id = any($2)', [id, ids])
  await database.query('delete from exchanges where namespace_id = $1', [id])
  await database.query(
    `delete from events where namespace_id = $1 and (type = 'exchange.failed' or not token_id = any($2))`,
    [id, ids],
  )
  const left = await database.query<{ id: string }>('select id from tokens where namespace_id = $1', [id])
  for (const token of tokensOf(side)) if (!left.some((row) => row.id === token.id)) await save(side, token)
}

async function tryTuple(side: Side): Promise<void> {
  const key = pick(keysOf(side))
  const verb = pick(Object.keys(VERBS))
  const request = VERBS[verb] ?? expect.fail()
  const foreign = verb !== 'delete everything' && random() < 0.7
  const token = pick(foreign ? ownTokens(OTHER[side]) : sharedTokens(side))
  const values = { ...token, key_id: spareKeyOf(OTHER[side]) }
  const told = `WALLS_SEED=${SEED}: ${verb}, ${values.id}, as ${side}`
  const sent = foreign ? [values, twinsOf(values)] : [values]
  const answers: PlainAnswer[] = []
  for (const named of sent) answers.push(await send(request(named), key))
  const looks = answers.map((answer, index) => lookOf(answer, sent[index] ?? values))
  for (const look of looks) expect(look, told).toEqual(looks[0])
  for (const { text, status } of answers) {
    expect(text, told).not.toContain(secretOf(OTHER[side]))
    expect(status, told).toBeLessThan(500)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const deleted = !foreign && verb.startsWith('delete')
  if (deleted || answers.some(({ status }) => status === 201 || status === 422)) await restore(side)
}

const statuses = new Map<number, number>()

describe('a namespace', () => {
  test('is to the keys of another one as if it were not there', async () => {
    for (let done = 0; done < TUPLES; done += TUPLES_A_ROUND) {
      const side = pick(SIDES)
      await noteUses(OTHER[side])
      const before = await rowsOf(OTHER[side])
      expect(before.length).toBeGreaterThan(20)
      for (let tuple = 0; tuple < TUPLES_A_ROUND; tuple += 1) await tryTuple(side)
      expect(await rowsOf(OTHER[side]), `WALLS_SEED=${SEED}`).toEqual(before)
    }
    // The callers were no strangers to the service, only to the other namespace.
    expect(provider.requests).toBeGreaterThan(50)
    const seen = [...statuses].filter(([, count]) => count > 5).map(([status]) => status)
    expect(seen).toEqual(expect.arrayContaining([200, 201, 204, 403, 404, 409, 412, 422]))
  }, 120_000)

  test('whose row a query gives away without asking whose it is discloses nothing', async () => {
    const columns = await database.query<{ name: string }>(
      `select column_name as name from information_schema.columns
       where table_name = 'tokens' and column_name <> 'namespace_id'`,
    )
    const names = columns.map(({ name }) => name).join(', ')
    const values = valuesOf('only-north-0', 'north')
    const { north, south } = namespaces
    // All that a caller of south asks for by id, user or list is now found in north.
    await database.query(
      `insert into tokens (namespace_id, ${names}) select $1::uuid, ${names} from tokens where namespace_id = $2 and id = $3`,
      [south.id, north.id, values.id],
    )
    const secrets = [values.client_secret, values.refresh_token, values.grant_token, values.access_token]
    const lines = vault.audit().length
    let unopened = 0
    for (const key of keysOf('south')) {
      for (const [verb, request] of Object.entries(VERBS)) {
        if (/^(save|delete)/.test(verb)) continue
        const { status, text } = await send(request({ ...values, key_id: 'none' }), key)
        for (const secret of secrets)
          expect([verb, text]).toEqual([verb, expect.not.stringContaining(secret)])
        if (status === 500) unopened += 1
      }
    }
    expect(unopened).toBeGreaterThan(10)
    for (const secret of secrets) expect(vault.log()).not.toContain(secret)
    const told = vault.audit().slice(lines)
    expect(told.filter(({ token_id, disclosed }) => token_id === values.id && disclosed)).toEqual([])
  })
})

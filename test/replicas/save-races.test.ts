import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { createRandom, shuffled } from '../support/random.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'

const PROCESSES = 4
const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1)

const times = <Item>(count: number, make: (index: number) => Item) =>
  Array.from({ length: count }, (_, index) => make(index))

let database: TestDatabase
let replicas: { settings: VaultSettings; process: VaultProcess }[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const first = await vaultSettings(database.url)
  const { TOKEN_VAULT_MASTER_KEYS = '', TOKEN_VAULT_BOOTSTRAP_KEY = '' } = first.env
  const shared = {
    TOKEN_VAULT_MASTER_KEYS,
    TOKEN_VAULT_BOOTSTRAP_KEY,
    TOKEN_VAULT_REFRESHER: 'off',
    LOG_LEVEL: 'warn',
  }
  await first.drop()
  replicas = await Promise.all(
    times(PROCESSES, async () => {
      const settings = await vaultSettings(database.url, [], shared)
      return { settings, process: await startVaultProcess(settings) }
    }),
  )
})

afterAll(async () => {
  await Promise.all(replicas.map(({ process }) => process.stop()))
  await Promise.all(replicas.map(({ settings }) => settings.drop()))
  await database.drop()
})

beforeEach(async () => {
  await database.query('delete from tokens')
})

interface Answer {
  status: number
  body: Partial<Token> & { code?: string }
}

async function call(replica: number, method: string, path: string, body?: object): Promise<Answer> {
  const { url = '', env = {} } = replicas[replica]?.settings ?? {}
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${env['TOKEN_VAULT_BOOTSTRAP_KEY'] ?? ''}`,
      'content-type': 'application/json',
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

/** All at once, in an order and at replicas that chance chooses. */
function saveAtOnce(saves: object[], random: () => number): Promise<Answer[]> {
  return Promise.all(
    shuffled(saves, random).map((save) => call(Math.floor(random() * PROCESSES), 'POST', '/v1/tokens', save)),
  )
}

async function stored(): Promise<Token[]> {
  const { body } = await call(0, 'GET', '/v1/tokens?limit=1000&include=secrets')
  return (body as { tokens: Token[] }).tokens
}

/** How many answers there were of each status, and of each code of an error. */
function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const kind = [status, body.code].filter((part) => part !== undefined).join(' ')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** What one writer brings beside what all of them name: all of it, so that a mixture of two writers shows. */
const mark = (writer: number) => ({
  token_type: `type ${writer}`,
  scope: `scope ${writer}`,
  redirect_url: `https://app.example/${writer}`,
})

/** The one token that is left, which must be as one of the writers saved it. */
async function theOne(): Promise<Token> {
  const [token, ...others] = await stored()
  expect(others).toEqual([])
  const writer = Number(token?.scope?.split(' ')[1])
  expect(token).toMatchObject(mark(writer))
  if (token === undefined) throw new Error('no token is left')
  return token
}

describe.each(SEEDS)(`saves at once over ${PROCESSES} processes, seed %i`, (seed) => {
  const random = createRandom(seed)
  /** Chance leaves fields out. */
  const perhaps = (fields: object) => (random() < 0.5 ? fields : {})

  test('of 200 users leave 200 tokens', async () => {
    const saves = times(200, (index) => ({
      user_name: `user ${index}`,
      access_token: `access ${index}`,
      ...perhaps({ client_id: 'app', client_secret: 'the same' }),
      ...perhaps({ refresh_token: `refresh ${index}` }),
      ...perhaps({ grant_token: `grant ${index}` }),
    }))
    expect(tally(await saveAtOnce(saves, random))).toEqual({ '201': 200 })
    const tokens = await stored()
    expect(new Set(tokens.map(({ user_name }) => user_name)).size).toBe(200)
    for (const { user_name, access_token } of tokens) {
      expect(access_token).toBe(user_name?.replace('user', 'access'))
    }
  })

  test('of one new user, 200 times, leave one token', async () => {
    const saves = times(200, (index) => ({
      user_name: random() < 0.5 ? 'ann' : 'ANN',
      client_id: 'app',
      access_token: `access ${index}`,
      ...perhaps({ refresh_token: `refresh ${index}` }),
      ...perhaps({ grant_token: 'grant' }),
      ...mark(index),
    }))
    expect(tally(await saveAtOnce(saves, random))).toEqual({ '200': 199, '201': 1 })
    const token = await theOne()
    expect(token.version).toBe(200)
    expect(token.access_token).toBe(token.scope?.replace('scope', 'access'))
  })

  test.each([
    ['refresh token', { refresh_token: 'shared' }],
    ['grant token', { grant_token: 'shared' }],
    ['access token', { access_token: 'shared' }],
  ])('of one %s, without a user, leave one token', async (_kind, shared) => {
    const client = perhaps({ client_id: 'app' })
    const saves = times(50, (index) => ({ ...shared, ...client, ...mark(index) }))
    expect(tally(await saveAtOnce(saves, random))).toEqual({ '200': 49, '201': 1 })
    expect(await theOne()).toMatchObject({ ...shared, ...client })
  })

  test('of one grant by its user, by its refresh token and by both leave one token', async () => {
    const app = { client_id: 'app' }
    const kinds = [
      { user_name: 'ann', ...app, access_token: 'access' },
      { user_name: 'ann', access_token: 'access' },
      { refresh_token: 'refresh', ...app },
      { refresh_token: 'refresh' },
      { user_name: 'ann', ...app, refresh_token: 'refresh' },
    ]
    const saves = times(60, (index) => ({ ...kinds[index % kinds.length], ...mark(index) }))
    const counts = tally(await saveAtOnce(saves, random))
    expect(Object.keys(counts).filter((kind) => !['200', '201'].includes(kind))).toEqual([])
    expect(await theOne()).toMatchObject({
      user_name: 'ann',
      ...app,
      refresh_token: 'refresh',
      access_token: 'access',
    })
  })
})

test('a save that waits longer than one lock may take is not failed by it', async () => {
  await call(0, 'POST', '/v1/tokens', { id: 'a', access_token: 'access' })
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  await holder.query('begin')
  await holder.query('select from tokens for update')
  const saved = call(0, 'POST', '/v1/tokens', { id: 'a', scope: 'new' })
  const tries = new Set<string>()
  while (tries.size < 2) {
    const waiting = await database.query<{ began: string }>(
      `select xact_start::text as began from pg_stat_activity
       where wait_event_type = 'Lock' and datname = current_database()`,
    )
    for (const { began } of waiting) tries.add(began)
  }
  await holder.query('commit')
  await holder.end()
  expect(await saved).toMatchObject({ status: 200, body: { scope: 'new' } })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCOPES } from '../../src/domain/caller.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { makeNamespace } from '../support/namespaces.ts'
import { logQueries } from '../support/query-log.ts'
import type { Statement } from '../support/query-log.ts'
import { accessPath, planNodes } from '../support/query-plans.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'
import { VERBS } from '../support/verbs.ts'

/** What may be unique over all namespaces, and why that does not bind machines together. */
const UNIQUE_OVER_ALL = {
  namespaces_pkey: 'a namespace is its own id',
  namespaces_name_key: 'an operator names namespaces; the table is small, and the same on every machine',
  key_rotations_pkey: 'a row for each run of an operator’s command',
  key_rotations_unfinished: 'the command runs once at a time',
}

/** The ways to rows that no namespace bounds, and why. */
const WAYS_OVER_ALL = {
  'tokens_due (provider, refresh_due_at)': 'the refresher asks each machine what falls due there',
  'api_keys_id (id)': 'a request brings an id, and the key says the namespace',
  'namespaces_pkey (id)': 'the id is the namespace',
  'data_keys_master ()': 'readiness begins with the first of the operator’s master keys',
  'data_keys_master (master_key_id)': 'and goes on to the next',
  'kysely_migration_pkey ()': 'readiness asks for the schema',
}

const queries = logQueries()
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  queries.stop()
  await database.drop()
})

describe('the schema', () => {
  /** Of Kysely, for the time of a migration. */
  const ours = `relnamespace = 'public'::regnamespace and relname not like 'kysely%'`
  const ofTable = (table: string) =>
    `exists (select from pg_attribute where attrelid = ${table} and attname = 'namespace_id' and attnum = any(columns))`

  test('has the namespace in everything that is unique', async () => {
    const unique = await database.query<{ name: string }>(
      `select relname as name from (select indexrelid, indrelid, indkey::int2[] as columns from pg_index where indisunique) as i
        join pg_class on pg_class.oid = indexrelid where ${ours} and not ${ofTable('indrelid')} order by name`,
    )
    expect(unique.map(({ name }) => name)).toEqual(Object.keys(UNIQUE_OVER_ALL).sort())
  })

  test('has a primary key in each table, and the namespace in each foreign key', async () => {
    const keyless = await database.query(
      `select relname from pg_class where ${ours} and relkind = 'r'
        and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)`,
    )
    expect(keyless).toEqual([])
    const foreign = await database.query(
      `select conname from (select *, conkey as columns from pg_constraint where contype = 'f') as c
        where not ${ofTable('conrelid')}`,
    )
    expect(foreign).toEqual([])
  })

  test('has no sequence, no trigger but those of foreign keys, no function and no rule', async () => {
    expect(
      await database.query(`select relname from pg_class where ${ours} and relkind <> all('{r,i}')`),
    ).toEqual([])
    expect(await database.query('select tgname from pg_trigger where not tgisinternal')).toEqual([])
    expect(
      await database.query(`select proname from pg_proc where pronamespace = 'public'::regnamespace`),
    ).toEqual([])
    expect(
      await database.query(
        `select rulename from pg_rewrite join pg_class on pg_class.oid = ev_class where ${ours}`,
      ),
    ).toEqual([])
  })
})

describe('a vault at work', () => {
  let zoho: FakeZoho
  let vault: TestVault
  let namespace: TestNamespace

  beforeAll(async () => {
    zoho = await FakeZoho.start()
    const at = `${zoho.url}/oauth/v2/token`
    const acme = { name: 'acme', token_url: at, revoke_url: `${at}/revoke`, min_interval: 0 }
    vault = await startVault({ databaseUrl: database.url, providers: { providers: [acme] } })
    namespace = await makeNamespace(database.url, 'at work', [[...SCOPES], ['tokens:list']])
  })
  afterAll(async () => {
    await vault.close()
    await zoho.close()
  })

  /** Each verb with a token of its own, a renewal that nobody asked for, and a probe. */
  async function work(): Promise<void> {
    expect((await vault.call('GET', '/readyz')).status).toBe(200)
    const [key, other] = namespace.keys
    const as = { authorization: `Bearer ${key?.key ?? ''}` }
    const call = (method: string, path: string, body?: object, headers = {}) =>
      vault.call(method, path, body, { ...as, ...headers })
    for (const [index, verb] of Object.values(VERBS).entries()) {
      const values = valuesOf(`${index}`, zoho)
      const saved = await call('POST', '/v1/tokens', { ...values, expires_in: 3600 })
      expect(saved.status).toBe(201)
      const { method, path, body, headers } = verb({ ...values, key_id: other?.id ?? '' })
      expect((await call(method, path, body, headers)).status).toBeLessThan(500)
    }
    const due = { ...valuesOf('due', zoho), expires_in: 1 }
    expect((await call('POST', '/v1/tokens', due)).status).toBe(201)
    await expect.poll(() => vault.log().includes('"token_id":"t-due"'), { timeout: 20_000 }).toBe(true)
  }

  test('names the namespace in every condition', async () => {
    const statements = distinct(await queries.during(work))
    // Tables as small as these would be read as they are.
    for (const way of ['seqscan', 'mergejoin', 'hashjoin']) await database.query(`set enable_${way} = off`)
    const beyond = new Set<string>()
    for (const statement of statements) {
      for (const node of await planNodes(database, statement)) {
        const path = accessPath(node)
        if (path !== null && !path.includes('namespace_id')) beyond.add(path)
      }
    }
    expect([...beyond].sort()).toEqual(Object.keys(WAYS_OVER_ALL).sort())
  })

  test('takes no lock of the same name for the same save in two namespaces', async () => {
    const other = await makeNamespace(database.url, 'at rest', [[...SCOPES]])
    const locks = []
    for (const { keys } of [namespace, other]) {
      const as = { authorization: `Bearer ${keys[0]?.key ?? ''}` }
      const saving = () => vault.save({ ...valuesOf('same', zoho), refresh_token: 'same' }, as)
      const locking = (await queries.during(saving)).filter(({ text }) => /advisory|lock table/.test(text))
      locks.push(...locking.flatMap(({ values }) => values.at(-1)))
    }
    // Of the id, the user and the three tokens.
    expect(locks).toHaveLength(2 * 5)
    expect(new Set(locks).size).toBe(locks.length)
  })
})

const distinct = (statements: Statement[]) => [...new Map(statements.map((one) => [one.text, one])).values()]

function valuesOf(name: string, zoho: FakeZoho) {
  return {
    id: `t-${name}`,
    user_name: `user-${name}`,
    provider: 'acme',
    client_id: zoho.client.id,
    client_secret: zoho.client.secret,
    refresh_token: zoho.refreshToken({ email: `${name}@example.com`, zgid: '1' }),
    grant_token: `grant-${name}`,
    access_token: `access-${name}`,
  }
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Criterion } from '../../src/domain/criterion.ts'
import type { Event } from '../../src/domain/event.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import { renewalTerms } from '../../src/domain/renewal.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Openable, TokenFilter, TokenStore } from '../../src/domain/token-store.ts'
import type { Token } from '../../src/domain/token.ts'
import { createApiKeyStore } from '../../src/store/api-key-store.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { createEventStore } from '../../src/store/event-store.ts'
import type { SaveWords } from '../support/domain.ts'
import { ZOHO } from '../support/domain.ts'
import { BIGGEST_NAMESPACE, fillKeys, fillTokens } from '../support/many-tokens.ts'
import { ensureNamespace } from '../../src/store/namespaces.ts'
import { logQueries } from '../support/query-log.ts'
import type { PlanNode } from '../support/query-plans.ts'
import { accessPath, planNodes } from '../support/query-plans.ts'
import type { PostgresStorage, Replica } from '../support/token-storage.ts'
import { openStorage, renewed, replicaOf } from '../support/token-storage.ts'

/** A million tokens, of which only the first were there when Postgres looked at them. */
const FEW = 10_000
const MANY = 1_000_000
const LONG_MS = 300_000
const TABLES = [
  'namespaces',
  'tokens',
  'refresh_tokens',
  'events',
  'data_keys',
  'api_keys',
  'clients',
  'spent_renewals',
]

const queries = logQueries()
let storage: PostgresStorage
let replica: Replica
let store: TokenStore
let namespaceId: string
let opened: Database

beforeAll(async () => {
  storage = await openStorage()
  const { database } = storage
  for (const table of TABLES) await database.query(`alter table ${table} set (autovacuum_enabled = off)`)
  await fillTokens(database, { from: 1, to: FEW })
  await fillKeys(database)
  await database.query(`analyze ${TABLES.join(', ')}`)
  await fillTokens(database, { from: FEW + 1, to: MANY })
  opened = createDatabase({ urls: [database.url], size: 1, name: 'test', onLost: () => undefined })
  namespaceId = await ensureNamespace(opened.db, BIGGEST_NAMESPACE)
  store = (await storage.replica()).store
  replica = replicaOf(store, namespaceId)
  await save()
}, LONG_MS)
afterAll(async () => {
  queries.stop()
  await opened.close()
  await storage.close()
})

/** What the planner goes by. The first is what it has after a large import, until Postgres looks again. */
const STATISTICS = {
  'of when there were ten thousand': () => Promise.resolve(),
  'of nothing yet': forgetStatistics,
  'of now': () => storage.database.query(`analyze ${TABLES.join(', ')}`),
}

async function forgetStatistics(): Promise<void> {
  for (const table of TABLES) {
    await storage.database.query(`select pg_clear_relation_stats('public', $1::text)`, [table])
    await storage.database.query(
      `select pg_clear_attribute_stats('public', $1::text, attname, false) from pg_attribute
        where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      [table],
    )
  }
}

/** Both of its indexes begin with the namespace, of which there are few rows: either will do. */
const EITHER = 'spent_renewals_'

/** The nodes of the plans of everything that this sends. */
async function nodesOf(work: () => Promise<unknown>): Promise<PlanNode[]> {
  const nodes = []
  for (const statement of await queries.during(work))
    nodes.push(...(await planNodes(storage.database, statement)))
  return nodes
}

/** The ways on which they reach rows. */
const pathsOf = async (work: () => Promise<unknown>) =>
  new Set((await nodesOf(work)).map(accessPath).filter((path) => path?.startsWith(EITHER) === false))

const TOKEN = { clientId: '1000.CLIENT', clientSecret: 's'.repeat(42), expiresIn: 3600 }
let saved = 0

/** Saves one more token, with a user of its own unless the words say otherwise. */
function save(words: SaveWords = {}): Promise<Token> {
  saved += 1
  const own = { userName: `ann-${saved}`, accessToken: `access-${saved}`, refreshToken: `refresh-${saved}` }
  return replica.save({ ...TOKEN, ...own, ...words })
}

async function claimed(): Promise<Claim> {
  const claim = await replica.claim((await save()).id)
  if (claim === null) throw new Error('the token was not claimed')
  return claim
}

const DELETED: Event = { type: 'token.deleted', actor: 'key:test' }
const EVERY: TokenFilter = {
  userName: null,
  clientId: null,
  provider: null,
  status: null,
  expiresBefore: null,
}
/** Alone, and two at once, which is another statement; for all secrets, and for the access token. */
const find = (criterion: Criterion) => {
  const findFor = (openable: Openable) =>
    store.findBy(namespaceId, criterion, { provider: null, clientId: null }, openable)
  return pathsOf(async () => {
    for (const openable of ['all', 'access_token'] as const) {
      await findFor(openable)
      await Promise.all([findFor(openable), findFor(openable)])
    }
  })
}
const list = (after: string | null, filter = EVERY, secrets = false) =>
  pathsOf(() => store.list(namespaceId, { after, limit: 100, filter, secrets }))
const listEvents = (tokenId: string | null, before: string | null = null) =>
  pathsOf(() =>
    createEventStore(opened.db).list(namespaceId, { tokenId, withoutKeys: true, limit: 100, before }),
  )

const ID = 'tokens_pkey (namespace_id, id)'
const USER = 'tokens_identity (namespace_id, user_key)'
const REFRESH = 'refresh_tokens_pkey (namespace_id, digest)'
const GRANT = 'tokens_grant (namespace_id, grant_digest)'
const ACCESS = 'tokens_access (namespace_id, access_digest)'
const NAMESPACE = 'namespaces_pkey (id)'
describe.each(Object.entries(STATISTICS))('among a million tokens, by statistics %s', (_, prepare) => {
  beforeAll(prepare, LONG_MS)

  test('a find reaches its token by the index of what it goes by', async () => {
    const token = new Secret('nobody’s')
    expect(await pathsOf(() => store.get({ namespaceId, id: 'x' }))).toEqual(new Set([ID]))
    expect(await find({ by: 'id', id: 'x' })).toEqual(new Set([ID]))
    expect(await find({ by: 'user_name', userName: 'ann' })).toEqual(new Set([USER]))
    expect(await find({ by: 'refresh_token', token })).toEqual(new Set([REFRESH, ID]))
    expect(await find({ by: 'grant_token', token })).toEqual(new Set([GRANT]))
    expect(await find({ by: 'access_token', token })).toEqual(new Set([ACCESS]))
  })

  test('a page of a list begins where the last one ended', async () => {
    expect(await list(null)).toEqual(new Set(['tokens_pkey (namespace_id)']))
    expect(await list('x')).toEqual(new Set([ID]))
    expect(await list('x', EVERY, true)).toEqual(new Set([ID]))
    expect(await list(null, { ...EVERY, userName: 'ann' })).toEqual(new Set([USER]))
    expect(await list('0', { ...EVERY, status: 'failing' })).toEqual(
      new Set(['tokens_status (namespace_id, status, id)']),
    )
    expect(await listEvents(null)).toEqual(new Set(['events_pkey (namespace_id)']))
    expect(await listEvents(null, namespaceId)).toEqual(new Set(['events_pkey (namespace_id, id)']))
    expect(await listEvents('x')).toEqual(new Set(['events_token (namespace_id, token_id)']))
  })

  test('old events are found and deleted by an index', async () => {
    const sweep = () => createEventStore(opened.db).sweep(90, namespaceId)
    // Where namespaces have a few events each, and it plans for these very values, Postgres may take the other one.
    const ways = [NAMESPACE, 'events_pkey (namespace_id, id)', 'events_token (namespace_id, id)']
    expect(ways).toEqual(expect.arrayContaining([...(await pathsOf(sweep))]))
  })

  test('a save looks for each of its identities by an index', async () => {
    const paths = [NAMESPACE, REFRESH, ACCESS, GRANT, USER, ID]
    const ofNoUser = { userName: null }
    expect(await pathsOf(() => save())).toEqual(new Set(paths))
    expect(await pathsOf(() => save(ofNoUser))).toEqual(new Set(paths))
    expect(await pathsOf(() => save({ userName: `ann-${saved - 1}` }))).toEqual(new Set(paths.slice(1)))
  })

  test('a claim of what is due goes along the queue, and sorts only what it picked', async () => {
    const terms = { ...renewalTerms(ZOHO), places: 100 }
    const busy = [{ namespaceId, id: 'x' }]
    const nodes = await nodesOf(() => store.claimDue([terms], { limit: 100, busy, takeOver: true }))
    const paths = nodes.map(accessPath).filter((path) => path !== null)
    expect(new Set(paths)).toEqual(new Set(['tokens_due (provider, refresh_due_at)', ID]))
    const sorts = nodes.filter((node) => node['Node Type'] === 'Sort').map((node) => node['Sort Key'])
    // A few of each provider, and then of all in turn. In the values' plan, and in the generic one.
    const turns = [expect.stringContaining('row_number()'), 'locked.due_at']
    expect(sorts).toEqual([turns, ['locked.due_at'], turns, ['locked.due_at']])
  })

  test('a renewal goes to its token, and to its client', async () => {
    const CLIENT = 'clients_pkey (namespace_id, digest)'
    const { id } = await save()
    expect(await pathsOf(() => replica.claim(id))).toEqual(new Set([CLIENT, ID]))
    const [kept, rotated] = [await claimed(), await claimed()]
    expect(await pathsOf(() => store.extend(kept))).toEqual(new Set([ID]))
    expect(await pathsOf(() => replica.settle(kept, renewed(`renewed-${saved}`)))).toEqual(new Set([ID]))
    const outcome = renewed(`rotated-${saved}`, `rotated-${saved}`)
    expect(await pathsOf(() => replica.settle(rotated, outcome))).toEqual(new Set([ID]))
    expect(await pathsOf(() => store.countDeath(rotated))).toEqual(
      new Set([NAMESPACE, ID, 'tokens_client (namespace_id, left)']),
    )
  })

  test('a token is touched and deleted by its id, or by its user', async () => {
    const [one, other, third] = [await save(), await save(), await save()]
    const ofUser = { ...EVERY, userName: third.userName }
    expect(await pathsOf(() => store.touch(one))).toEqual(new Set([ID]))
    expect(await pathsOf(() => store.delete(one, DELETED, 'any'))).toEqual(new Set([ID]))
    expect(await pathsOf(() => store.deleteUntouched(other, DELETED))).toEqual(new Set([ID]))
    expect(await pathsOf(() => store.deleteMany(namespaceId, ofUser, DELETED))).toEqual(new Set([USER, ID]))
    expect(await pathsOf(() => store.record(one, DELETED))).toEqual(new Set([NAMESPACE]))
  })

  test('keys are found by their ids', async () => {
    const apiKeys = createApiKeyStore(opened.db)
    const dataKeys = createDataKeyStore(opened.db)
    expect(await pathsOf(() => apiKeys.find('x'))).toEqual(new Set(['api_keys_id (id)']))
    const ofKey = ['api_keys_id (id)', 'api_keys_pkey (namespace_id, id)']
    expect(ofKey).toEqual(expect.arrayContaining([...(await pathsOf(() => apiKeys.touch(namespaceId, 'x')))]))
    expect(await pathsOf(() => dataKeys.listKeys(namespaceId))).toEqual(
      new Set(['data_keys_pkey (namespace_id)']),
    )
  })

  test('a probe of readiness goes from one master key to the next', async () => {
    expect(await pathsOf(() => createDataKeyStore(opened.db).sampleKeys())).toEqual(
      new Set(['data_keys_master ()', 'data_keys_master (master_key_id)']),
    )
  })
})

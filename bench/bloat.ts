/**
 * What a token costs on disk, before and after a day of renewals, and what they leave behind. Each argument is SQL that
 * is run on the empty schema first, for a table more: `npm run bench:bloat -- "alter table tokens set (fillfactor = 80)"`.
 * Renewals are the store's own; a day of them takes minutes, so autovacuum looks each second instead of each minute.
 */
import pg from 'pg'
import { createKeyring } from '../src/crypto/keyring.ts'
import { createMasterKeys } from '../src/crypto/master-keys.ts'
import type { Provider } from '../src/domain/provider.ts'
import type { Claim } from '../src/domain/renewal.ts'
import { renewalTerms, settlementOf } from '../src/domain/renewal.ts'
import { Secret } from '../src/domain/secret.ts'
import type { TokenStore } from '../src/domain/token-store.ts'
import { createDataKeyStore } from '../src/store/data-key-store.ts'
import { createDatabase } from '../src/store/database.ts'
import { startEmbeddedPostgres } from '../src/embedded/embedded-postgres.ts'
import { migrate } from '../src/store/migrate.ts'
import { createPostgresTokenStore } from '../src/store/postgres-token-store.ts'
import { ZOHO } from '../test/support/domain.ts'
import { fillTokens } from '../test/support/many-tokens.ts'

const TOKENS = Number(process.env['BLOAT_TOKENS'] ?? 10_000)
const HOURS = Number(process.env['BLOAT_HOURS'] ?? 24)
const CLAIMED_AT_ONCE = 64
const SETTINGS = { fsync: 'off', full_page_writes: 'off', autovacuum_naptime: '1s' }
/** An hour is over at once: what it gives lives for a second, and may be renewed as often as there is a turn. */
const PROVIDER: Provider = { ...ZOHO, minIntervalSeconds: 0, limit: { count: 10, windowSeconds: 0 } }
const TERMS = { ...renewalTerms(PROVIDER), places: CLAIMED_AT_ONCE }
const POLICY = { marginSeconds: 600, random: Math.random }

type Sizes = Record<string, number>

async function measure(sql: string | null): Promise<void> {
  const postgres = await startEmbeddedPostgres({ dataDir: '', ephemeral: true, settings: SETTINGS })
  const client = new pg.Client(postgres.url)
  await client.connect()
  const query = async <Row>(text: string) => (await client.query(text)).rows as Row[]
  const options = { urls: [postgres.url], name: 'bench', onLost: () => undefined }
  const database = createDatabase({ ...options, size: 8 })
  try {
    await migrate(database.db)
    if (sql !== null) await query(sql)
    await fillTokens({ query }, { from: 1, to: TOKENS, namespaces: 10 })
    await query(`update tokens set refresh_due_at = refresh_due_at - interval '2 days'`)
    await query('vacuum full')
    await query('analyze')
    const before = await sizesOf(query)
    const master = createMasterKeys([{ id: 'k1', bytes: Buffer.alloc(32, 1) }])
    const keyring = createKeyring(createDataKeyStore(database.db), master, Date.now)
    const store = createPostgresTokenStore({
      callers: database.db,
      renewals: database.db,
      keyring,
      owner: 'bench',
    })
    const [start] = await query<{ lsn: string }>('select pg_current_wal_lsn() as lsn')
    for (let hour = 0; hour < HOURS / 2; hour += 1) await renewAll(store)
    const halfway = await sizesOf(query)
    for (let hour = HOURS / 2; hour < HOURS; hour += 1) await renewAll(store)
    const [wal] = await query<{ bytes: number }>(
      `select (pg_current_wal_lsn() - '${start?.lsn ?? ''}')::float8 as bytes`,
    )
    const after = await sizesOf(query)
    console.log(`\n${sql ?? 'as it is'}: ${TOKENS} tokens, ${HOURS} hours`)
    console.log(`write-ahead log: ${Math.round((wal?.bytes ?? 0) / TOKENS / HOURS)} bytes a renewal`)
    console.table(await updatesOf(query))
    await query('vacuum full')
    report({ before, halfway, after, packed: await sizesOf(query) })
  } finally {
    await database.close()
    await client.end()
    await postgres.stop()
  }
}

/** Every token once: who has been renewed is due after all the others. */
async function renewAll(store: TokenStore): Promise<void> {
  for (let left = TOKENS; left > 0;) {
    const options = { limit: Math.min(left, CLAIMED_AT_ONCE), busy: [], takeOver: false }
    const claims = await store.claimDue([TERMS], options)
    await Promise.all(claims.map((claim) => settle(store, claim)))
    left -= claims.length
  }
}

let renewals = 0

async function settle(store: TokenStore, claim: Claim): Promise<void> {
  renewals += 1
  const accessToken = new Secret(`1000.${String(renewals).padStart(65, 'a')}`)
  const nothing = { refreshToken: null, tokenType: null, scope: null, apiDomain: null }
  const outcome = { kind: 'renewed', accessToken, expiresInSeconds: 1, ...nothing } as const
  await store.settle(claim, settlementOf(claim, outcome, PROVIDER, claim.claimedAt, POLICY))
}

type Query = <Row>(text: string) => Promise<Row[]>

/** Bytes of each table without its indexes, and of each index. */
async function sizesOf(query: Query): Promise<Sizes> {
  const rows = await query<{ name: string; bytes: number }>(
    `select relname as name, (pg_table_size(oid) - pg_relation_size(oid, 'fsm') - pg_relation_size(oid, 'vm'))::float8 as bytes
      from pg_class where relname ~ '^(tokens|refresh_tokens|events)' and relkind in ('r', 'i')
      order by relname !~ '^tokens', relkind = 'i', relname`,
  )
  return Object.fromEntries(rows.map(({ name, bytes }) => [name, bytes]))
}

function updatesOf(query: Query) {
  return query(
    `select relname as table, n_tup_upd::int as updates, n_tup_hot_upd::int as hot, n_dead_tup::int as dead,
        autovacuum_count::int as autovacuums
      from pg_stat_user_tables where relname in ('tokens', 'refresh_tokens', 'events')`,
  )
}

/** Bytes a token; of events, which grow with the renewals, bytes a renewal. Packed is a fresh copy. */
function report({ before, halfway, after, packed }: Record<string, Sizes>): void {
  const row = (name: string) => {
    const each = (sizes: Sizes = {}, hours = HOURS) => {
      const of = name.startsWith('events') ? TOKENS * hours : TOKENS
      return Math.round((sizes[name] ?? 0) / of)
    }
    const sizes = { before: each(before), halfway: each(halfway, HOURS / 2), after: each(after) }
    return { name, ...sizes, packed: each(packed) }
  }
  console.table(Object.keys(after ?? {}).map(row))
}

await measure(null)
for (const sql of process.argv.slice(2)) await measure(sql)

import { createKeyring } from '../../src/crypto/keyring.ts'
import { createMasterKeys } from '../../src/crypto/master-keys.ts'
import { SCOPES } from '../../src/domain/caller.ts'
import type { Event } from '../../src/domain/event.ts'
import type { Provider, Providers, RefreshOutcome, RenewedOutcome } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import { renewalTerms, settlementOf } from '../../src/domain/renewal.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { Token } from '../../src/domain/token.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import { createDatabase } from '../../src/store/database.ts'
import { ensureNamespace } from '../../src/store/namespaces.ts'
import { createPostgresTokenStore } from '../../src/store/postgres-token-store.ts'
import { planSave } from '../../src/vault/plan-save.ts'
import type { TestDatabase } from './database.ts'
import { createTestDatabase } from './database.ts'
import type { SaveWords } from './domain.ts'
import { saveOf, ZOHO } from './domain.ts'

const POLICY = { marginSeconds: 600, random: () => 0.5 }

/** The store of one replica, and what a test does to it. */
export interface Replica {
  store: TokenStore
  save(words: SaveWords): Promise<Token>
  read(id: string): Promise<Token>
  /** The one token of this id, claimed; null where the terms forbid it. */
  claim(id: string, forced?: boolean, provider?: Provider): Promise<Claim | null>
  /** Settles as the vault would. */
  settle(claim: Claim, outcome: RefreshOutcome, provider?: Provider): Promise<Token | null>
}

/** A storage of the test's own, seen by any number of replicas. */
export interface TokenStorage {
  namespaceId: string
  replica(owner?: string): Promise<Replica>
  /** Moves all that has happened to a token into the past. */
  age(id: string, seconds: number): Promise<void>
  /** The types of a token's events, oldest first. */
  events(id: string): Promise<string[]>
  /** The facts of a token's last event of this type. */
  factsOf(id: string, type: Event['type']): Promise<unknown>
  /** Forgets everything. */
  clear(): Promise<void>
  close(): Promise<void>
}

export interface PostgresStorage extends TokenStorage {
  database: TestDatabase
  /** Stores bare tokens by one statement: provider zoho, expired, due for as many seconds as their number. */
  fill(count: number, prefix?: string, due?: boolean): Promise<void>
}

export async function openStorage(): Promise<PostgresStorage> {
  const database = await createTestDatabase()
  const master = createMasterKeys([{ id: 'k1', bytes: Buffer.alloc(32, 1) }])
  const closing: (() => Promise<void>)[] = []
  const connect = () => {
    const opened = createDatabase({ urls: [database.url], size: 4, name: 'test', onLost: () => undefined })
    closing.push(() => opened.close())
    return opened
  }
  const first = connect().db
  const namespaceId = await ensureNamespace(first, 'default')
  await createKeyring(createDataKeyStore(first), master, Date.now).keysOf(namespaceId)
  return {
    database,
    namespaceId,
    replica: async (owner = 'replica') => {
      const callers = connect()
      const keyring = createKeyring(createDataKeyStore(callers.db), master, Date.now)
      await keyring.keysOf(namespaceId)
      return replicaOf(
        createPostgresTokenStore({ callers: callers.db, renewals: connect().db, keyring, owner }),
        namespaceId,
      )
    },
    async age(id, seconds) {
      const back = `- interval '${seconds} seconds'`
      await database.query(
        `update tokens set refresh_due_at = refresh_due_at ${back}, retry_at = retry_at ${back},
          lease_until = lease_until ${back}, lost_at = lost_at ${back}, claimed_at = claimed_at ${back}, refreshed_at = refreshed_at ${back}, expires_at = expires_at ${back},
          renewals = array(select claimed ${back} from unnest(renewals) as claimed) where id = $1`,
        [id],
      )
    },
    async fill(count, prefix = 'token', due = true) {
      await database.query(
        `insert into tokens (namespace_id, id, provider, client_id, refresh_token, access_token, expires_at,
          lifetime_seconds, status, refresh_due_at, fence, version, created_at, updated_at)
        select $1, $2 || '-' || n, 'zoho', 'client', '\\x0100000002', '\\x0100000002', now() - interval '1 second',
          3600, 'active', now() ${due ? '-' : "+ interval '1 hour' +"} n * interval '1 second', 0, 1, now(), now()
        from generate_series(1, $3::int) as n`,
        [namespaceId, prefix, count],
      )
    },
    async events(id) {
      const sorted = 'select type from events where token_id = $1 order by at, id'
      return (await database.query<{ type: string }>(sorted, [id])).map(({ type }) => type)
    },
    async factsOf(id, type) {
      const last =
        'select facts from events where token_id = $1 and type = $2 order by at desc, id desc limit 1'
      return (await database.query<{ facts: unknown }>(last, [id, type]))[0]?.facts
    },
    async clear() {
      for (const table of ['tokens', 'clients', 'events', 'spent_renewals'])
        await database.query(`delete from ${table}`)
    },
    async close() {
      await Promise.all(closing.map((close) => close()))
      await database.drop()
    },
  }
}

export function replicaOf(store: TokenStore, namespaceId: string): Replica {
  const caller = { keyId: 'test', namespaceId, scopes: new Set(SCOPES) }
  const read = async (id: string) => {
    const reading = await store.get({ namespaceId, id })
    if (reading === null) throw new Error(`there is no token ${id}`)
    return reading.token
  }
  return {
    store,
    read,
    async save(words) {
      const save = saveOf(words)
      const plan = planSave({ providers: PROVIDERS, policy: POLICY }, caller, save)
      return (await store.save(namespaceId, save, plan)).plan.token
    },
    claim: async (id, forced = false, provider = ZOHO) =>
      store.claim(await read(id), renewalTerms(provider), { forced, takeOver: true }),
    settle: (claim, outcome, provider = ZOHO) =>
      store.settle(claim, settlementOf(claim, outcome, provider, claim.claimedAt, POLICY)),
  }
}

const unexpected = () => Promise.reject(new Error('no test of the storage sends a request'))
const PROVIDERS: Providers = {
  find: (name) => (name === 'zoho' ? ZOHO : null),
  all: () => [ZOHO],
  apiDomains: () => null,
  leftAlone: () => null,
  refresh: unexpected,
  exchange: unexpected,
  revocation: () => unexpected,
}

/** A renewal that brought this access token, and perhaps a new refresh token. */
export function renewed(accessToken: string, refreshToken: string | null = null): RenewedOutcome {
  return {
    kind: 'renewed',
    accessToken: new Secret(accessToken),
    expiresInSeconds: 3600,
    refreshToken: refreshToken === null ? null : new Secret(refreshToken),
    tokenType: 'Bearer',
    scope: null,
    apiDomain: null,
  }
}

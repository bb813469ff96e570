import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import type { RefreshOutcome } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import { untilStored } from '../../src/vault/until-stored.ts'
import { STORAGES, useStorage } from '../support/memory-storage.ts'
import type { Replica, TokenStorage } from '../support/token-storage.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

const COUNT = 12
const IDS = Array.from({ length: COUNT }, (_, number) => `token-${String(number).padStart(2, '0')}`)
const DELETED = { type: 'token.deleted', actor: 'test' } as const
const DOWN: RefreshOutcome = { kind: 'unavailable', error: 'http_500', sent: true }

const the = useStorage(openStorage)

function saveOne(where: Replica, id: string, grant = 'refresh') {
  const its = { userName: `user of ${id}`, clientId: 'client', clientSecret: 'secret' }
  return where.save({
    id,
    ...its,
    refreshToken: `${grant}-${id}`,
    accessToken: `access-${id}`,
    expiresInSeconds: 0,
  })
}

async function claimOne(where: Replica, id: string): Promise<Claim> {
  const claim = await where.claim(id)
  if (claim === null) throw new Error(`${id} was not claimed`)
  return claim
}

/** All tokens, saved and claimed. */
async function claimAll(where = the.replica): Promise<Claim[]> {
  const claims: Claim[] = []
  for (const id of IDS) {
    await saveOne(where, id)
    claims.push(await claimOne(where, id))
  }
  return claims
}

const successOf = ({ token: { id } }: Claim) => renewed(`new-access-${id}`, `new-refresh-${id}`)

/** A connection of somebody else, in a transaction that is undone at the end. */
async function somebody(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: the.storage.database.url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin')
  return client
}

async function expectRenewedOnce(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const token = await the.replica.read(id)
    expect(token).toMatchObject({ status: 'active', version: 2, leaseUntil: null, fence: 1 })
    expect(token.accessToken?.reveal()).toBe(`new-access-${id}`)
    expect(token.refreshToken?.reveal()).toBe(`new-refresh-${id}`)
    expect(await the.storage.events(id)).toEqual(['token.created', 'renewal.claimed', 'renewal.succeeded'])
  }
}

const transactionsOf = async (type: string) => {
  const query = 'select count(distinct xmin::text)::int as count from events where type = $1'
  return (await the.storage.database.query<{ count: number }>(query, [type]))[0]?.count
}

test('many that come together are stored in one transaction, each as what it then is', async () => {
  const { replica } = the
  const claims = await claimAll()
  const settled = await Promise.all(claims.map((claim) => replica.settle(claim, successOf(claim))))
  await expectRenewedOnce(IDS)
  expect(await transactionsOf('renewal.succeeded')).toBe(1)
  for (const token of settled) {
    const { accessToken, refreshToken, ...told } = token ?? (await replica.read('none'))
    const { accessToken: access, refreshToken: refresh, clientSecret, ...kept } = await replica.read(told.id)
    expect(told).toMatchObject({ ...kept, clientSecret: expect.anything() as unknown })
    expect([accessToken?.reveal(), refreshToken?.reveal()]).toEqual([access?.reveal(), refresh?.reveal()])
    expect(told.clientSecret?.reveal()).toBe(clientSecret?.reveal())
  }
})

/** What happens to a token between its claim and its settlement, and what the provider says. */
const FATES: ((where: TokenStorage, who: Replica, claim: Claim) => Promise<RefreshOutcome>)[] = [
  (_where, _who, claim) => Promise.resolve(successOf(claim)),
  (_where, _who, { token: { id } }) => Promise.resolve(renewed(`new-access-${id}`)),
  () => Promise.resolve(DOWN),
  () => Promise.resolve({ kind: 'dead', error: 'invalid_grant' }),
  () => Promise.resolve({ kind: 'client_refused', error: 'invalid_client' }),
  async (_where, who, claim) => {
    await who.save({ id: claim.token.id, scope: 'crm' })
    return successOf(claim)
  },
  async (_where, who, { token: { id } }) => {
    await who.save({ id, scope: 'crm' })
    return DOWN
  },
  async (_where, who, claim) => {
    await who.save({ id: claim.token.id, refreshToken: `saved-${claim.token.id}` })
    return successOf(claim)
  },
  async (_where, who, claim) => {
    await who.store.delete(claim.token, DELETED, 'any')
    return successOf(claim)
  },
  async (_where, who, claim) => {
    await who.store.delete(claim.token, DELETED, 'any')
    await saveOne(who, claim.token.id, 'anew')
    await claimOne(who, claim.token.id)
    return renewed(`new-access-${claim.token.id}`)
  },
  async (where, who, claim) => {
    await where.age(claim.token.id, 3600)
    await claimOne(who, claim.token.id)
    return DOWN
  },
  async (where, who, claim) => {
    await where.age(claim.token.id, 3600)
    await claimOne(who, claim.token.id)
    return successOf(claim)
  },
]

/** What is left of each token, where all are settled at once or one after the other. */
async function endsOf(where: TokenStorage, together: boolean) {
  const who = await where.replica()
  const claims = await claimAll(who)
  const settlements: (() => Promise<unknown>)[] = []
  for (const [index, claim] of claims.entries()) {
    const outcome = await FATES[index % FATES.length]?.(where, who, claim)
    if (outcome !== undefined) settlements.push(() => who.settle(claim, outcome))
  }
  if (together) await Promise.all(settlements.map((settle) => settle()))
  else for (const settle of settlements) await settle()
  return Promise.all(IDS.map((id) => endOf(where, who, id)))
}

async function endOf(where: TokenStorage, who: Replica, id: string) {
  const events = await where.events(id)
  const token = (await who.store.get({ namespaceId: where.namespaceId, id }))?.token
  if (token === undefined) return { id, events }
  const secrets = [token.accessToken, token.refreshToken].map((secret) => secret?.reveal())
  const { status, version, fence, scope, lastError } = token
  const isHeld = token.leaseUntil !== null
  const isLost = token.lostAt !== null
  return { id, events, secrets, status, version, fence, scope, code: lastError?.code, isHeld, isLost }
}

test('each ends as it would have ended alone, whatever has happened to it or to the others', async () => {
  const alone = await endsOf(the.storage, false)
  for (const [name, open] of STORAGES) {
    const other = await open()
    const ends = await endsOf(other, true).finally(() => other.close())
    expect(ends, name).toEqual(alone)
  }
  expect(new Set(alone.map(({ events }) => events.at(-1)))).toEqual(
    new Set(['renewal.succeeded', 'renewal.failed', 'client.paused', 'renewal.dropped']),
  )
})

test('a token that somebody has locked holds up itself, and no other one', async () => {
  const claims = await claimAll()
  const locking = await somebody()
  await locking.query('select from tokens where id = $1 for update', [IDS[3]])
  const settled = new Set<string>()
  const settling = claims.map(async (claim) => {
    await the.replica.settle(claim, successOf(claim))
    settled.add(claim.token.id)
  })
  await expect.poll(() => settled.size).toBe(COUNT - 1)
  expect(settled).not.toContain(IDS[3])
  await locking.query('rollback')
  await Promise.all(settling)
  await expectRenewedOnce(IDS)
})

test('a value that the database does not take keeps nothing of the others back', async () => {
  const claims = await claimAll()
  const scopeOf = ({ token: { id } }: Claim) => (id === IDS[5] ? 'a\u0000b' : null)
  const settled = await Promise.allSettled(
    claims.map((claim) => the.replica.settle(claim, { ...successOf(claim), scope: scopeOf(claim) })),
  )
  expect(settled.map(({ status }) => status === 'rejected')).toEqual(IDS.map((id) => id === IDS[5]))
  await expectRenewedOnce(IDS.filter((id) => id !== IDS[5]))
  expect(await the.replica.read(IDS[5] ?? '')).toMatchObject({ version: 1, fence: 1 })
})

test('one that breaks a unique constraint keeps nothing of the others back', async () => {
  const claims = await claimAll()
  await the.storage.database.query('create unique index one_scope on tokens (scope)')
  onTestFinished(async () => {
    await the.storage.database.query('drop index one_scope')
  })
  const scopeOf = ({ token: { id } }: Claim) => (id < 'token-02' ? 'the same' : null)
  const settled = await Promise.allSettled(
    claims.map((claim) => the.replica.settle(claim, { ...successOf(claim), scope: scopeOf(claim) })),
  )
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  await expectRenewedOnce(IDS.slice(2))
})

test('a connection that breaks while they are stored loses none of them, and stores none twice', async () => {
  const claims = await claimAll()
  const locking = await somebody()
  await locking.query('lock table events in exclusive mode')
  const sleep = () => pause(10)
  const failures: unknown[] = []
  const settling = claims.map((claim) =>
    untilStored(
      { monotonicMs: () => 0, sleep },
      Math.random,
      () => the.replica.settle(claim, successOf(claim)),
      (error) => failures.push(error),
    ),
  )
  const cut = `select count(pg_terminate_backend(pid))::int as count from pg_stat_activity
    where wait_event_type = 'Lock' and query like '/* settle_tokens */%' and datname = current_database()`
  await expect.poll(() => the.storage.database.query(cut)).toEqual([{ count: 1 }])
  await locking.query('rollback')
  await Promise.all(settling)
  expect(failures).toHaveLength(COUNT)
  await expectRenewedOnce(IDS)
})

test('a commit of which nobody has heard is known again', async () => {
  const claims = await claimAll()
  for (let tries = 0; tries < 2; tries += 1)
    await Promise.all(claims.map((claim) => the.replica.settle(claim, successOf(claim))))
  await expectRenewedOnce(IDS)
})

test('the answer to a claim is kept though a standby without an earlier one has given its fence again', async () => {
  const [one, other] = [await the.storage.replica('pod-1'), await the.storage.replica('pod-2')]
  await saveOne(one, 'token-00')
  const first = await claimOne(one, 'token-00')
  await the.storage.database.query(
    'update tokens set fence = fence - 1, lease_until = null, lease_owner = null, claimed_at = null',
  )
  const second = await claimOne(other, 'token-00')
  expect(second.fence).toBe(first.fence)
  await one.settle(first, renewed('access-1', 'refresh-1'))
  await other.settle(second, renewed('access-2', 'refresh-2'))
  expect((await other.read('token-00')).refreshToken?.reveal()).toBe('refresh-2')
})

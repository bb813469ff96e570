import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { storageUnavailable } from '../../src/domain/errors.ts'
import { MasterKeyError } from '../../src/domain/keyring.ts'
import { renewalTerms } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import { createDatabase } from '../../src/store/database.ts'
import { createPostgresTokenStore } from '../../src/store/postgres-token-store.ts'
import { ZOHO } from '../support/domain.ts'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

/** The terms of a provider that has a place for as many as may be claimed. */
const dueTerms = (provider = ZOHO) => ({ ...renewalTerms(provider), places: 1000 })
const TERMS = [dueTerms()]

const the = useStorage(openStorage)

const claimDue = async (limit = 10, terms = TERMS, { store } = the.replica) =>
  (await store.claimDue(terms, { limit, busy: [], takeOver: true })).map(({ token }) => token.id)

describe('due tokens', () => {
  test('are claimed exactly once each by 8 claimers at once', async () => {
    await the.storage.fill(1000)
    const claimers = await Promise.all(Array.from({ length: 8 }, () => the.storage.replica()))
    const claimed = await Promise.all(
      claimers.map(async (claimer) => {
        const ids: string[] = []
        // A batch may come out short where all of it is locked by the others at this moment.
        for (let empty = 0; empty < 3;) {
          const batch = await claimDue(32, TERMS, claimer)
          ids.push(...batch)
          empty = batch.length === 0 ? empty + 1 : 0
        }
        return ids
      }),
    )
    const ids = claimed.flat()
    expect(ids).toHaveLength(1000)
    expect(new Set(ids).size).toBe(1000)
    const fences = await the.storage.database.query('select fence, count(*)::int from tokens group by fence')
    expect(fences).toEqual([{ fence: 1, count: 1000 }])
  })

  test('are passed over while somebody else has them locked', async () => {
    await the.storage.fill(3)
    const other = new pg.Client({ connectionString: the.storage.database.url })
    await other.connect()
    await other.query('begin')
    await other.query(`select from tokens where id = 'token-2' for update`)
    const others = await claimDue().finally(() => other.end())
    expect(others).toEqual(expect.arrayContaining(['token-1', 'token-3']))
    await expect.poll(() => claimDue()).toEqual(['token-2'])
  })
})

test('where pauses cannot be read for now, what was claimed is kept, and renewed as if there were none', async () => {
  await the.storage.fill(1)
  const other = new pg.Client({ connectionString: the.storage.database.url })
  await other.connect()
  await other.query('begin; lock table clients')
  const claims = the.replica.store.claimDue(TERMS, { limit: 1, busy: [], takeOver: true })
  const [claim] = await claims.finally(() => other.end())
  expect(claim).toMatchObject({ token: { id: 'token-1' }, pause: null })
})

describe('where the keys of all that is due do not load', () => {
  function storeWithout(cause: Error): TokenStore {
    const urls = [the.storage.database.url]
    const opened = createDatabase({ urls, size: 1, name: 'test', onLost: () => undefined })
    onTestFinished(() => opened.close())
    const refuse = () => Promise.reject(storageUnavailable('refused', cause))
    const keyring = { keysOf: refuse, keysSince: refuse }
    return createPostgresTokenStore({ callers: opened.db, renewals: opened.db, keyring, owner: 'locked' })
  }
  const search = (store: TokenStore) => store.claimDue(TERMS, { limit: 1, busy: [], takeOver: true })
  const leases = () => the.storage.database.query('select lease_owner from tokens')

  test('for a master key, nothing is claimed, and only who asks for one of them is told', async () => {
    await the.storage.fill(1)
    const store = storeWithout(new MasterKeyError('k2', 'is missing'))
    expect(await search(store)).toEqual([])
    expect(await leases()).toEqual([{ lease_owner: null }])
    const one = store.claim(await the.replica.read('token-1'), renewalTerms(ZOHO), {
      forced: false,
      takeOver: true,
    })
    await expect(one).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await leases()).toEqual([{ lease_owner: null }])
  })

  test('for the storage, the search fails', async () => {
    await the.storage.fill(1)
    await expect(search(storeWithout(new Error('timeout expired')))).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
  })
})

describe('the places of a provider', () => {
  test('are all that is claimed of it, so that others are claimed though they fell due later', async () => {
    await the.storage.fill(20)
    await the.storage.database.query(
      `update tokens set provider = 'acme', refresh_due_at = refresh_due_at - interval '1 hour'`,
    )
    await the.storage.fill(20, 'zoho')
    const acme = { ...dueTerms({ ...ZOHO, name: 'acme' }), places: 3 }
    const ids = await claimDue(8, [acme, dueTerms()])
    expect(ids.filter((id) => id.startsWith('token'))).toHaveLength(3)
    expect(ids.filter((id) => id.startsWith('zoho'))).toHaveLength(5)
  })

  test('are filled in turn with the others', async () => {
    await the.storage.fill(20)
    await the.storage.database.query(
      `update tokens set provider = 'acme', refresh_due_at = refresh_due_at - interval '1 hour'`,
    )
    await the.storage.fill(20, 'zoho')
    const ids = await claimDue(8, [dueTerms({ ...ZOHO, name: 'acme' }), dueTerms()])
    expect(ids.filter((id) => id.startsWith('zoho')).toSorted()).toEqual(
      [20, 19, 18, 17].map((n) => `zoho-${n}`).toSorted(),
    )
  })

  test('may be none, and then nothing of it is claimed', async () => {
    await the.storage.fill(1)
    expect(await claimDue(8, [{ ...dueTerms(), places: 0 }])).toEqual([])
  })
})

import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { renewalTerms } from '../../src/domain/renewal.ts'
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

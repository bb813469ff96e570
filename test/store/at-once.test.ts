import { afterAll, expect, test } from 'vitest'
import { saveOf } from '../support/domain.ts'
import { useStorage } from '../support/memory-storage.ts'
import { makeNamespace } from '../support/namespaces.ts'
import { logQueries } from '../support/query-log.ts'
import { openStorage, replicaOf } from '../support/token-storage.ts'

const ANY = { provider: null, clientId: null }

const queries = logQueries()
const the = useStorage(openStorage)
afterAll(queries.stop)

test('look-ups that come at once make one statement of each kind, and each namespace has its own tokens', async () => {
  const here = the.replica
  const other = await makeNamespace(the.storage.database.url, 'other', [])
  const there = replicaOf(here.store, other.id)
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}`)
  for (const [index, userName] of users.entries()) {
    const replica = index % 2 === 0 ? here : there
    await replica.save({ id: userName, userName, accessToken: `access of ${userName}` })
  }
  let found: string[][] = []
  const sent = await queries.during(async () => {
    const finds = users.flatMap((userName) =>
      [the.storage.namespaceId, other.id].map((namespaceId) =>
        here.store.findBy(namespaceId, { by: 'user_name', userName }, ANY),
      ),
    )
    found = (await Promise.all(finds)).map(({ tokens }) => tokens.map(({ id }) => id))
  })
  expect(sent).toHaveLength(1)
  const expected = users.flatMap((id, index) => (index % 2 === 0 ? [[id], []] : [[], [id]]))
  expect(found).toEqual(expected)
})

test('a look-up that Postgres refuses fails alone, and the ones beside it are answered', async () => {
  await the.replica.save({ id: 'sound', accessToken: 'access' })
  const get = (id: string) => the.replica.store.get({ namespaceId: the.storage.namespaceId, id })
  // Postgres' text holds no such character; no request gets so far with it.
  const ids = ['sound', 'a\u0000b', 'sound', 'unknown']
  const settled = await Promise.allSettled(ids.map(get))
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  expect(settled).toMatchObject([{ value: { token: { id: 'sound' } } }, {}, {}, { value: null }])
})

test('saves that come at once make one transaction, and one of them that is refused refuses no other', async () => {
  const users = Array.from({ length: 10 }, (_, index) => `saver-${index}`)
  const sent = await queries.during(() =>
    Promise.all(users.map((userName) => the.replica.save({ id: userName, userName, accessToken: userName }))),
  )
  expect(sent.filter(({ text }) => text === 'commit')).toHaveLength(1)
  const refused = new Error('refused by its plan')
  const saved = Promise.allSettled([
    ...users.slice(0, 5).map((id) => the.replica.save({ id, scope: 'changed' })),
    the.replica.store.save(the.storage.namespaceId, saveOf({ id: 'nobody' }), () => {
      throw refused
    }),
  ])
  expect((await saved).map(({ status }) => status)).toEqual([
    ...users.slice(0, 5).map(() => 'fulfilled'),
    'rejected',
  ])
  for (const id of users.slice(0, 5)) expect((await the.replica.read(id)).scope).toBe('changed')
  for (const id of users.slice(5)) expect((await the.replica.read(id)).scope).toBe(null)
})

test('the use of tokens by a crowd is noted in one statement, each token once', async () => {
  const ids = ['used', 'used-too']
  for (const id of ids) await the.replica.save({ id, accessToken: id })
  const refs = Array.from({ length: 300 }, (_, index) => ({
    namespaceId: the.storage.namespaceId,
    id: ids[index % 2] ?? '',
  }))
  const sent = await queries.during(() => Promise.all(refs.map((ref) => the.replica.store.touch(ref))))
  expect(sent.map(({ values }) => values)).toEqual([[refs.slice(0, 2).map((ref) => ref.namespaceId), ids]])
  for (const id of ids) expect((await the.replica.read(id)).lastUsedAt).not.toBeNull()
})

test('saves that meet each other’s tokens are put off without an error: Postgres would log each, with its statement', async () => {
  const [one, other] = [the.replica, await the.storage.replica()]
  const ids = ['a', 'b', 'c', 'd', 'e'].map((clientId) => `of-cy-${clientId}`)
  for (const id of ids) await one.save({ id, userName: 'cy', clientId: id, accessToken: `access of ${id}` })
  const sent = await queries.during(async () => {
    const saves = Array.from({ length: 200 }, (_, index) =>
      (index % 2 === 0 ? one : other).save({ id: ids[index % ids.length] ?? '', scope: `scope-${index}` }),
    )
    await Promise.all(saves)
  })
  expect(sent.filter(({ text }) => /rollback/i.test(text))).toEqual([])
  for (const id of ids) expect((await one.read(id)).version).toBe(41)
})

import { expect, test } from 'vitest'
import type { Event } from '../../src/domain/event.ts'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

const the = useStorage(openStorage)

const DELETED: Event = { type: 'token.deleted', actor: 'key:test' }
const ANY = { provider: null, clientId: null }
const ann = { by: 'user_name', userName: 'ann' } as const

const saveAnns = (...clientIds: string[]) =>
  Promise.all(
    clientIds.map((clientId) =>
      the.replica.save({ id: clientId, userName: 'ann', clientId, accessToken: clientId }),
    ),
  )
const find = () => the.replica.store.findBy(the.storage.namespaceId, ann, ANY)

test('several tokens that answer to a user come without their secrets, and a single one with them', async () => {
  await saveAnns('one', 'two', 'three')
  const { tokens } = await find()
  expect(tokens.map(({ id }) => id)).toEqual(['one', 'three', 'two'])
  for (const { accessToken } of tokens) expect(() => accessToken?.reveal()).toThrow()
  const { tokens: narrowed } = await the.replica.store.findBy(the.storage.namespaceId, ann, {
    ...ANY,
    clientId: 'two',
  })
  expect(narrowed.map(({ accessToken }) => accessToken?.reveal())).toEqual(['two'])
})

test('a token that is the last of several while they are found comes with its secrets', async () => {
  const { store } = the.replica
  for (let round = 0; round < 100; round += 1) {
    await saveAnns('one', 'two')
    const deleting = store.delete({ namespaceId: the.storage.namespaceId, id: 'two' }, DELETED, 'any')
    const found = await Promise.all(Array.from({ length: 10 }, find))
    await deleting
    for (const { tokens } of found.filter((each) => each.tokens.length === 1))
      expect(tokens[0]?.accessToken?.reveal()).toBe('one')
  }
})

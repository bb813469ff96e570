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

test('a token whose access token alone is wanted comes without its other secrets, found alone or among others', async () => {
  const secrets = {
    clientSecret: 'secret',
    refreshToken: 'refresh',
    grantToken: 'grant',
    accessToken: 'access',
  }
  const { id } = await the.replica.save({ userName: 'ann', clientId: 'one', ...secrets })
  const { namespaceId } = the.storage
  const { store } = the.replica
  const get = async () => (await store.get({ namespaceId, id }, 'access_token'))?.token
  const findIt = async () => (await store.findBy(namespaceId, ann, ANY, 'access_token')).tokens[0]
  const whole = async () => (await store.get({ namespaceId, id }))?.token
  const [full, ...narrow] = await Promise.all([whole(), get(), get(), findIt(), findIt()])
  for (const token of [await get(), await findIt(), ...narrow]) {
    expect(token?.accessToken?.reveal()).toBe('access')
    for (const field of ['clientSecret', 'refreshToken', 'grantToken'] as const)
      expect(() => token?.[field]?.reveal()).toThrow('left the secret out')
  }
  expect([full?.clientSecret?.reveal(), full?.refreshToken?.reveal()]).toEqual(['secret', 'refresh'])
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

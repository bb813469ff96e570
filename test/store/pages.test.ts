import { expect, test } from 'vitest'
import type { Token } from '../../src/domain/token.ts'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

const the = useStorage(openStorage)

const EVERY = { userName: null, clientId: null, provider: null, status: null, expiresBefore: null }
const SECRETS = ['clientSecret', 'refreshToken', 'grantToken', 'accessToken'] as const

const list = (secrets: boolean, after: string | null = null) =>
  the.replica.store.list(the.storage.namespaceId, { filter: EVERY, limit: 100, after, secrets })

test('a page without secrets brings none of them, and knows of each whether the token has it', async () => {
  for (const [id, secret] of Object.entries(SECRETS))
    await the.replica.save({ id, accessToken: id, [secret]: 's' })
  const [{ tokens: bare }, { tokens: full }] = [await list(false), await list(true)]
  expect(bare).toEqual(full)
  const held = (token: Token) => SECRETS.map((name) => token[name]).filter((secret) => secret !== null)
  for (const secret of bare.flatMap(held)) expect(() => secret.reveal()).toThrow()
  expect(full.flatMap(held).map((secret) => secret.reveal())).toEqual(['s', '0', 's', '1', 's', '2', 's'])
})

test('a page whose secrets would be too many bytes ends early, and the next one goes on from there', async () => {
  const secret = 's'.repeat(16_384)
  const secrets = Object.fromEntries(SECRETS.map((name) => [name, secret]))
  for (let saved = 0; saved < 80; saved += 1)
    await the.replica.save({ ...secrets, refreshToken: `${saved} ${secret}`, clientId: `client ${saved}` })
  const whole = await list(false)
  expect([whole.tokens.length, whole.next]).toEqual([80, null])
  const first = await list(true)
  const second = await list(true, first.next)
  expect([first.tokens.length > 60, second.next]).toEqual([true, null])
  expect([...first.tokens, ...second.tokens].map(({ id }) => id)).toEqual(whole.tokens.map(({ id }) => id))
})

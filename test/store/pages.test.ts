import { expect, test } from 'vitest'
import type { Token } from '../../src/domain/token.ts'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

const the = useStorage(openStorage)

const EVERY = { userName: null, clientId: null, provider: null, status: null, expiresBefore: null }
const SECRETS = ['clientSecret', 'refreshToken', 'grantToken', 'accessToken'] as const

const list = (secrets: boolean, after: string | null = null, limit = 100) =>
  the.replica.store.list(the.storage.namespaceId, { filter: EVERY, limit, after, secrets })

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

test('a page without secrets ends early, too, where its texts would be too many bytes', async () => {
  const text = '\u{1f511}'.repeat(1_000)
  const texts = { userName: text, tokenType: text, scope: text, redirectUrl: text, apiDomain: text }
  const ids = Array.from({ length: 200 }, (_, index) => String(index).padStart(3, '0'))
  const save = (id: string) => the.replica.save({ id, accessToken: id, ...texts, clientId: `${id}${text}` })
  await Promise.all(ids.map(save))
  const first = await list(false, null, 1_000)
  const second = await list(false, first.next, 1_000)
  expect([first.tokens.length > 150, second.next]).toEqual([true, null])
  expect([...first.tokens, ...second.tokens].map(({ id }) => id)).toEqual(ids)
  expect(second.tokens.length).toBeGreaterThan(0)
})

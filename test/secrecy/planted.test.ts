import { expect, test } from 'vitest'
import { finds, Planting } from '../support/planted.ts'

const planting = new Planting()
const secret = planting.secret()

test.each<[string, Buffer | string]>([
  ['as it is', secret],
  ['in JSON', JSON.stringify({ token: secret })],
  ['in a query', `?${new URLSearchParams({ token: secret }).toString()}`],
  ['percent-encoded', encodeURIComponent(secret)],
  ['in base64', Buffer.from(secret).toString('base64')],
  ['in base64 amid other text', Buffer.from(`a ${secret}`).toString('base64')],
  ['in base64url amid other text', Buffer.from(`ab ${secret}?`).toString('base64url')],
  ['in hex', Buffer.from(secret).toString('hex')],
  ['in capital hex', Buffer.from(secret).toString('hex').toUpperCase()],
  ['in UTF-16, little end first', Buffer.from(secret, 'utf16le')],
  ['in UTF-16, big end first', Buffer.from(secret, 'utf16le').swap16()],
])('a planted secret is found %s', (_how, haystack) => {
  const content = Buffer.concat([Buffer.alloc(99, 1), Buffer.from(haystack), Buffer.alloc(99, 2)])
  expect(planting.isIn(content)).toBe(true)
  expect(new Planting().isIn(content)).toBe(false)
})

test.each(['utf8', 'base64', 'hex'] as const)('any other secret is found whole in %s', (encoding) => {
  const other = 'größe "x" + y'
  expect(finds(`<${Buffer.from(other).toString(encoding)}>`, other)).toBe(true)
  expect(finds('nothing of it', other)).toBe(false)
})

import { expect, test } from 'vitest'
import openapi from '../../openapi.json' with { type: 'json' }
import { MISMATCHES } from '../../src/contract/common.ts'
import { KeyBody } from '../../src/contract/keys.ts'
import { DeleteQuery, ListQuery, SaveBody } from '../../src/contract/tokens.ts'
import { VaultError } from '../../src/domain/errors.ts'
import { readBody } from '../../src/http/validation.ts'

test('each pattern of the API has a sentence for what does not match', () => {
  const patterns = JSON.stringify(openapi).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)
  const used = new Set(Array.from(patterns, ([, pattern = '']) => JSON.parse(pattern) as string))
  expect([...used].sort()).toEqual(Object.keys(MISMATCHES).sort())
})

test.each([
  [SaveBody, { user_name: 'a\nb' }, '/user_name holds a control character or half a surrogate pair'],
  [SaveBody, { id: 'a b' }, '/id is no id: 1 to 128 of A-Z a-z 0-9 . _ : -'],
  [SaveBody, { expires_at: 'now' }, '/expires_at is no time of RFC 3339, such as 2030-01-31T12:00:00.000Z'],
  [
    KeyBody,
    { name: 'a', scopes: ['admin'], expires_at: 'now' },
    '/expires_at is no time of RFC 3339, such as 2030-01-31T12:00:00.000Z, nor never',
  ],
  [
    KeyBody,
    { name: 'a', scopes: ['admin', 'root'] },
    '/scopes/1 must be one of tokens:list, tokens:use, tokens:read, tokens:write, tokens:delete, admin',
  ],
  [ListQuery, { status: 'bogus' }, '/status must be one of active, failing, reauth_required'],
  [ListQuery, { include: 'all' }, '/include must be secrets'],
  [DeleteQuery, { all: '1' }, '/all must be true'],
])('a value that does not match is told in words, without the value (%#)', (schema, body, fault) => {
  const faults: string[] = []
  try {
    readBody(schema, body)
  } catch (error) {
    const { errors = [] } = (error as VaultError).facts
    faults.push(...errors.map(({ pointer, detail }) => `${pointer} ${detail}`))
  }
  expect(faults).toEqual([fault])
})

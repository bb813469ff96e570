import { describe, expect, test } from 'vitest'
import type { FateCase } from '../support/fate.ts'
import { fate } from '../support/fate.ts'

const ann = { userName: 'ann', clientId: 'app' }

const cases: Record<string, FateCase[]> = {
  'that would change whose a token is': [
    [
      'conflicts with the matched token over its user',
      { id: 'a', userName: 'bob' },
      [{ id: 'a', ...ann }],
      'conflict:a',
    ],
    [
      'conflicts with the matched token over its client',
      { id: 'a', clientId: 'other' },
      [{ id: 'a', ...ann }],
      'conflict:a',
    ],
    [
      'conflicts with the matched token over its provider',
      { id: 'a', provider: 'acme' },
      [{ id: 'a', ...ann }],
      'conflict:a',
    ],
    [
      'conflicts with the token that holds the refresh token, the only identity that it names',
      { clientId: 'other', refreshToken: 'r' },
      [
        { id: 'a', ...ann, refreshToken: 'r' },
        { id: 'b', userName: 'ann', clientId: 'other' },
      ],
      'conflict:a',
    ],
    [
      'conflicts with the owner of the identity that it names',
      { id: 'a', ...ann },
      [{ id: 'a' }, { id: 'b', ...ann }],
      'conflict:b',
    ],
    [
      'conflicts with the owner even where the matched token contradicts too',
      { id: 'a', ...ann },
      [
        { id: 'a', userName: 'bob', clientId: 'app' },
        { id: 'b', ...ann },
      ],
      'conflict:b',
    ],
    [
      "conflicts with the owner of another user's refresh token",
      { ...ann, refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', userName: 'bob', refreshToken: 'r' },
      ],
      'conflict:b',
    ],
    [
      "conflicts with the owner of another client's refresh token",
      { clientId: 'app', refreshToken: 'r' },
      [{ id: 'b', clientId: 'other', refreshToken: 'r' }],
      'conflict:b',
    ],
    [
      'names the owner of the refresh token, not the matched token, where both contradict',
      { id: 'a', userName: 'cid', refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', userName: 'bob', refreshToken: 'r' },
      ],
      'conflict:b',
    ],
    [
      'conflicts where its client completes an identity that another token has',
      { clientId: 'app', refreshToken: 'r' },
      [
        { id: 'a', userName: 'ann', refreshToken: 'r' },
        { id: 'b', ...ann },
      ],
      'conflict:b',
    ],
    [
      'takes a different spelling of the user for the same user',
      { id: 'a', userName: 'Ann' },
      [{ id: 'a', ...ann }],
      'a',
    ],
    ['gives a user and a client to a token without', { id: 'a', ...ann }, [{ id: 'a' }], 'a'],
  ],
  'that meets its refresh token at a token without a user': [
    [
      'absorbs it',
      { ...ann, refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', refreshToken: 'r' },
      ],
      'a+b',
    ],
    [
      'absorbs it by a refresh token that it had',
      { ...ann, refreshToken: 'old' },
      [
        { id: 'a', ...ann },
        { id: 'b', refreshToken: 'r', was: ['old'] },
      ],
      'a+b',
    ],
    [
      'absorbs it in the same client',
      { ...ann, refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', clientId: 'app', refreshToken: 'r' },
      ],
      'a+b',
    ],
    [
      'does not absorb it from another client',
      { ...ann, refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', clientId: 'other', refreshToken: 'r' },
      ],
      'conflict:b',
    ],
    [
      'does not absorb it from another provider',
      { ...ann, refreshToken: 'r' },
      [
        { id: 'a', ...ann },
        { id: 'b', provider: 'acme', refreshToken: 'r' },
      ],
      'conflict:b',
    ],
    [
      'does not take a client from it that would make the token another one',
      { id: 'a', refreshToken: 'r' },
      [
        { id: 'a', userName: 'ann' },
        { id: 'b', clientId: 'app', refreshToken: 'r' },
        { id: 'c', ...ann },
      ],
      'conflict:c',
    ],
    [
      'becomes it where its own user has no token yet',
      { ...ann, refreshToken: 'r' },
      [{ id: 'b', refreshToken: 'r' }],
      'b',
    ],
  ],
}

describe.each(Object.entries(cases))('a save %s', (_kind, rows) => {
  test.each(rows)('%s', (_sentence, save, stored, expected) => {
    expect(fate(save, stored)).toBe(expected)
    expect(fate(save, stored.toReversed()).split(':')[0]).toBe(expected.split(':')[0])
  })
})

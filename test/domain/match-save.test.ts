import { describe, expect, test } from 'vitest'
import type { FateCase } from '../support/fate.ts'
import { fate } from '../support/fate.ts'

const ann = { userName: 'ann', clientId: 'app' }

const cases: Record<string, FateCase[]> = {
  'with a client': [
    ['is new where nothing is stored', { ...ann, refreshToken: 'r' }, [], 'new'],
    ['matches by id before all else', { id: 'a', ...ann }, [{ id: 'a' }, { id: 'b' }], 'a'],
    ['is not stopped by an id that no token has', { id: 'x', ...ann }, [{ id: 'a', ...ann }], 'a'],
    ['matches its user at its client', ann, [{ id: 'a', ...ann }], 'a'],
    ['matches its user in any case', { ...ann, userName: 'ANN' }, [{ id: 'a', ...ann }], 'a'],
    ['does not match its user at another client', ann, [{ id: 'a', ...ann, clientId: 'other' }], 'new'],
    ["matches its user's only token without a client", ann, [{ id: 'a', userName: 'ann' }], 'a'],
    [
      'prefers the token of its client to the one without',
      ann,
      [
        { id: 'a', userName: 'ann' },
        { id: 'b', ...ann },
      ],
      'b',
    ],
    [
      'takes none of several tokens of its user without a client',
      ann,
      [
        { id: 'a', userName: 'ann' },
        { id: 'b', userName: 'ann', provider: 'acme' },
      ],
      'new',
    ],
    [
      'is ambiguous where its user has tokens of several providers',
      ann,
      [
        { id: 'a', ...ann },
        { id: 'b', ...ann, provider: 'acme' },
      ],
      'ambiguous_match:a,b',
    ],
    [
      'matches the token of the provider that it names',
      { ...ann, provider: 'acme' },
      [
        { id: 'a', ...ann },
        { id: 'b', ...ann, provider: 'acme' },
      ],
      'b',
    ],
    ['is new at another provider', { ...ann, provider: 'acme' }, [{ id: 'a', ...ann }], 'new'],
    ...(['grantToken', 'refreshToken', 'accessToken'] as const).flatMap((field): FateCase[] => [
      [
        `matches by ${field} in its client`,
        { ...ann, [field]: 's' },
        [{ id: 'a', clientId: 'app', [field]: 's' }],
        'a',
      ],
      [
        `matches by ${field} a token without a client`,
        { ...ann, [field]: 's' },
        [{ id: 'a', [field]: 's' }],
        'a',
      ],
    ]),
    [
      'does not match by grant token in another client',
      { clientId: 'app', grantToken: 'g' },
      [{ id: 'a', clientId: 'other', grantToken: 'g' }],
      'new',
    ],
    [
      'does not match by access token in another client',
      { clientId: 'app', accessToken: 't' },
      [{ id: 'a', clientId: 'other', accessToken: 't' }],
      'new',
    ],
    [
      'prefers user to grant, grant to refresh, refresh to access token',
      { clientId: 'app', grantToken: 'g', accessToken: 't' },
      [
        { id: 'a', clientId: 'app', accessToken: 't' },
        { id: 'b', clientId: 'app', grantToken: 'g' },
      ],
      'b',
    ],
    [
      'is ambiguous where several tokens of its client share the grant token',
      { clientId: 'app', grantToken: 'g' },
      [
        { id: 'a', clientId: 'app', grantToken: 'g' },
        { id: 'b', clientId: 'app', grantToken: 'g' },
      ],
      'ambiguous_match:a,b',
    ],
    [
      'matches by a refresh token that was replaced',
      { clientId: 'app', refreshToken: 'old' },
      [{ id: 'a', clientId: 'app', refreshToken: 'r', was: ['old'] }],
      'a',
    ],
  ],
  'without a client': [
    ['matches its only user', { userName: 'ann' }, [{ id: 'a', ...ann }], 'a'],
    [
      'is ambiguous where its user has several tokens',
      { userName: 'ann' },
      [
        { id: 'a', ...ann },
        { id: 'b', userName: 'ann', clientId: 'other' },
      ],
      'ambiguous_match:a,b',
    ],
    [
      'is narrowed by its provider',
      { userName: 'ann', provider: 'acme' },
      [
        { id: 'a', ...ann },
        { id: 'b', ...ann, provider: 'acme' },
      ],
      'b',
    ],
    [
      'matches by access token before grant token',
      { accessToken: 't', grantToken: 'g' },
      [
        { id: 'a', grantToken: 'g' },
        { id: 'b', accessToken: 't' },
      ],
      'b',
    ],
    [
      'with a client secret matches by grant token before access token',
      { accessToken: 't', grantToken: 'g', clientSecret: 's' },
      [
        { id: 'a', grantToken: 'g' },
        { id: 'b', accessToken: 't' },
      ],
      'a',
    ],
    [
      'matches by refresh token where its grant token finds nothing',
      { grantToken: 'g', refreshToken: 'r' },
      [{ id: 'a', refreshToken: 'r' }],
      'a',
    ],
    ['matches any client', { accessToken: 't' }, [{ id: 'a', ...ann, accessToken: 't' }], 'a'],
    [
      'is ambiguous where several tokens have its access token',
      { accessToken: 't' },
      [
        { id: 'a', accessToken: 't' },
        { id: 'b', accessToken: 't' },
      ],
      'ambiguous_match:a,b',
    ],
    [
      'matches the owner of its refresh token where its access token is new',
      { accessToken: 'new', refreshToken: 'r' },
      [{ id: 'a', refreshToken: 'r' }],
      'a',
    ],
    [
      'matches by a refresh token that was replaced',
      { refreshToken: 'old' },
      [{ id: 'a', refreshToken: 'r', was: ['old'] }],
      'a',
    ],
    [
      'is not stopped by an id that no token has',
      { id: 'x', userName: 'ann', accessToken: 't' },
      [{ id: 'a', userName: 'ann' }],
      'a',
    ],
    ['that names nothing matches nothing', { scope: 'all' }, [], 'new'],
  ],
}

describe.each(Object.entries(cases))('a save %s', (_kind, rows) => {
  test.each(rows)('%s', (_sentence, save, stored, expected) => {
    expect(fate(save, stored)).toBe(expected)
    expect(fate(save, stored.toReversed()).split(':')[0]).toBe(expected.split(':')[0])
  })
})

import { expect, test } from 'vitest'
import { findCriteria } from '../../src/domain/criterion.ts'
import type { PartialToken } from '../../src/domain/criterion.ts'
import { saveOf } from '../support/domain.ts'

const FIELDS = [
  'id',
  'provider',
  'userName',
  'clientId',
  'clientSecret',
  'grantToken',
  'refreshToken',
  'accessToken',
] as const
type Field = (typeof FIELDS)[number]

/** Every set of the fields that a caller may give. */
const SETS: Field[][] = Array.from({ length: 2 ** FIELDS.length }, (_, bits) =>
  FIELDS.filter((_field, index) => (bits & (1 << index)) !== 0),
)

/** The six rules of the contract, each as it is written there. */
const RULES: { applies: (given: Set<Field>) => boolean; criteria: (given: Set<Field>) => string[] }[] = [
  { applies: (given) => given.has('id'), criteria: () => ['id'] },
  { applies: (given) => given.has('userName'), criteria: () => ['user_name'] },
  {
    applies: (given) => given.has('accessToken') && !(given.has('clientId') || given.has('clientSecret')),
    criteria: () => ['access_token'],
  },
  {
    applies: (given) => given.has('grantToken'),
    criteria: (given) => (given.has('refreshToken') ? ['grant_token', 'refresh_token'] : ['grant_token']),
  },
  { applies: (given) => given.has('refreshToken'), criteria: () => ['refresh_token'] },
  { applies: (given) => given.has('accessToken'), criteria: () => ['access_token'] },
]

function partialOf(given: Field[]): PartialToken {
  return saveOf(Object.fromEntries(given.map((field) => [field, `the ${field}`])))
}

function expected(given: Field[]): string[] | undefined {
  const fields = new Set(given)
  return RULES.find(({ applies }) => applies(fields))?.criteria(fields)
}

const named = SETS.filter((given) => expected(given) !== undefined)

test.each(named.map((given) => [given.join(' + '), given] as const))(
  '%s: the first rule that applies gives the criterion',
  (_name, given) => {
    expect(findCriteria(partialOf(given)).map(({ by }) => by)).toEqual(expected(given))
  },
)

test('a criterion carries the value that was given for it', () => {
  const criteria = FIELDS.flatMap((field) => {
    const partial = partialOf([field])
    return ['provider', 'clientId', 'clientSecret'].includes(field) ? [] : findCriteria(partial)
  })
  expect(
    criteria.map((criterion) => {
      if (criterion.by === 'id') return criterion.id
      return criterion.by === 'user_name' ? criterion.userName : criterion.token.reveal()
    }),
  ).toEqual(['the id', 'the userName', 'the grantToken', 'the refreshToken', 'the accessToken'])
})

test('a partial token that names nothing is refused, whatever narrows it', () => {
  const nameless = SETS.filter((given) => expected(given) === undefined)
  expect(nameless).toHaveLength(8)
  for (const given of nameless) {
    expect(() => findCriteria(partialOf(given))).toThrow(expect.objectContaining({ code: 'no_criterion' }))
  }
})

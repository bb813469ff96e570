import { expect, test } from 'vitest'
import { classifyAnswer } from '../../src/providers/classify-answer.ts'

function lifeTold(fields: object): number | null {
  const body = JSON.stringify({ access_token: 'a', ...fields })
  const outcome = classifyAnswer({ status: 200, retryAfter: null, body }, new Date())
  return outcome.kind === 'renewed' ? outcome.expiresInSeconds : expect.fail(outcome.error)
}

test.each([
  [3600, 3600],
  ['3600', 3600],
  [86_400, 86_400],
  [3_600_000, 3600],
  ['3600000', 3600],
  [400_000_000, 400_000],
  [0, null],
  ['soon', null],
])('where expires_in_sec makes no sense, expires_in %j is a life of %j seconds', (expiresIn, life) => {
  for (const unreadable of ['soon', 0, -1, {}, true])
    expect(lifeTold({ expires_in: expiresIn, expires_in_sec: unreadable })).toBe(life)
})

test('where it does, it is the life, whatever the other one is', () => {
  expect(lifeTold({ expires_in: 3600, expires_in_sec: 1800 })).toBe(1800)
})

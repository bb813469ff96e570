import { expect, test } from 'vitest'
import { classifyAnswer } from '../../src/providers/classify-answer.ts'

const NOW = new Date('2026-01-01T12:00:00Z')

test.each([
  [403, '{"message":"You have exceeded a secondary rate limit"}', 'throttled', 'nonsense'],
  [408, '', 'throttled', 'nonsense'],
  [403, '{"error":"invalid_grant"}', 'dead', 'dead'],
  [403, '{"error":"odd"}', 'nonsense', 'nonsense'],
])(
  'a refusal that says when to come again is throttled, unless a code says what it is: %i, %j',
  (status, body, withWait, without) => {
    const judged = (retryAfter: string | null) => classifyAnswer({ status, retryAfter, body }, NOW)
    expect(judged('60').kind).toBe(withWait)
    expect(judged(null).kind).toBe(without)
  },
)

import { expect, test } from 'vitest'
import { refreshDueAt } from '../../src/domain/life.ts'
import { inSeconds, NOON, tokenOf, ZOHO } from '../support/domain.ts'
import { createRandom } from '../support/random.ts'

const TOKENS = 10_000

test('10,000 tokens saved together fall due so that no second has over a hundredth of them', () => {
  const policy = { marginSeconds: 600, random: createRandom(1) }
  const token = tokenOf({
    id: 'token',
    clientId: 'client',
    refreshToken: 'refresh',
    accessToken: 'access',
    expiresAt: inSeconds(3600),
    lifetimeSeconds: 3600,
  })
  const seconds = Array.from({ length: TOKENS }, () => {
    const due = refreshDueAt(token, ZOHO, NOON, policy)?.getTime() ?? NaN
    return Math.floor((due - NOON.getTime()) / 1000)
  })
  const bySecond = [...Map.groupBy(seconds, (second) => second).values()]
  const crowded = Math.max(...bySecond.map((all) => all.length))
  expect(crowded).toBeLessThan(TOKENS / 100)
  expect(Math.max(...seconds)).toBeLessThanOrEqual(3000)
  expect(Math.min(...seconds)).toBeGreaterThanOrEqual(3000 - 360)
})

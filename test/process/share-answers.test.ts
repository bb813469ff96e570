import { beforeEach, describe, expect, test } from 'vitest'
import { shareAnswers } from '../../src/process/share-answers.ts'

let nowMs: number
let checks: { resolve(): void; reject(error: Error): void }[]
const clock = { monotonicMs: () => nowMs, sleep: () => Promise.resolve() }
const ready = () =>
  shareAnswers(() => new Promise<void>((resolve, reject) => checks.push({ resolve, reject })), clock)

beforeEach(() => {
  nowMs = 0
  checks = []
})

test('what was answered is given to all', async () => {
  const ask = shareAnswers(() => Promise.resolve({}), clock)
  const [one, other] = await Promise.all([ask(), ask()])
  expect([other === one, (await ask()) === one]).toEqual([true, true])
  nowMs = 1000
  expect((await ask()) === one).toBe(false)
})

describe('readiness', () => {
  test('is checked once for all who ask at once', async () => {
    const ask = ready()
    const asked = Array.from({ length: 1000 }, () => ask())
    expect(checks).toHaveLength(1)
    checks[0]?.resolve()
    await Promise.all(asked)
  })

  test('is believed for a second from the moment at which the check began', async () => {
    const ask = ready()
    const first = ask()
    nowMs = 400
    checks[0]?.resolve()
    await first
    nowMs = 999
    await ask()
    expect(checks).toHaveLength(1)
    nowMs = 1000
    const second = ask()
    checks[1]?.reject(new Error('the database is gone'))
    await expect(second).rejects.toThrow('gone')
  })

  test('that was missing is checked again at once, and all who waited for it are told', async () => {
    const ask = ready()
    const asked = [ask(), ask()]
    checks[0]?.reject(new Error('the database is gone'))
    for (const each of asked) await expect(each).rejects.toThrow('gone')
    const again = ask()
    checks[1]?.resolve()
    await again
    expect(checks).toHaveLength(2)
  })
})

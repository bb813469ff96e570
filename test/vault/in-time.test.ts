import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/domain/clock.ts'
import { inTime, MOST_WAIT_MS } from '../../src/vault/in-time.ts'

/** Time that passes when the test says so. */
class TestClock implements Clock {
  nowMs = 0
  sleepers: { atMs: number; wake: () => void }[] = []

  monotonicMs = () => this.nowMs

  sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const sleeper = { atMs: this.nowMs + ms, wake: resolve }
      this.sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper)
        resolve()
      })
    })

  async pass(ms: number): Promise<void> {
    this.nowMs += ms
    const woken = this.sleepers.filter(({ atMs }) => atMs <= this.nowMs)
    this.sleepers = this.sleepers.filter(({ atMs }) => atMs > this.nowMs)
    for (const { wake } of woken) wake()
    await turn()
  }
}

/** What the caller has by now. */
function watched(caller: Promise<unknown>) {
  const watch: { has: unknown } = { has: undefined }
  caller.then(
    (result) => (watch.has = result),
    (error: unknown) => (watch.has = error),
  )
  return watch
}

test('whoever comes within the time has what the work comes to, and everybody else is late, whenever they come', async () => {
  const waits = fc.array(fc.integer({ min: 0, max: 6_000 }), { minLength: 1, maxLength: 120 })
  await fc.assert(
    fc.asyncProperty(
      waits,
      fc.integer({ min: 0, max: 40_000 }),
      fc.boolean(),
      async (gapsMs, takesMs, fails) => {
        const clock = new TestClock()
        const { promise: work, resolve, reject } = Promise.withResolvers<string>()
        // Before the first caller comes, nobody listens.
        work.catch(() => undefined)
        const error = new Error('failed')
        const state = { isOver: false }
        const end = () => {
          state.isOver = true
          if (fails) reject(error)
          else resolve('done')
        }
        const callers: { has: unknown; expected: unknown }[] = []
        for (const gapMs of gapsMs) {
          while (!state.isOver && clock.nowMs + gapMs >= takesMs) {
            await clock.pass(takesMs - clock.nowMs)
            end()
            await turn()
          }
          await clock.pass(gapMs)
          const isInTime = state.isOver || takesMs - clock.nowMs < MOST_WAIT_MS
          callers.push(
            Object.assign(watched(inTime(clock, work)), {
              expected: isInTime ? (fails ? error : 'done') : 'late',
            }),
          )
        }
        if (!state.isOver) {
          await clock.pass(takesMs - clock.nowMs)
          end()
        }
        for (let left = 0; left < 10; left += 1) await clock.pass(0)
        expect(callers.map(({ has }) => has)).toEqual(callers.map(({ expected }) => expected))
      },
    ),
    { numRuns: 300 },
  )
})

test('a crowd has one timer, and is let go in the order in which it came, a part of it at a time', async () => {
  const clock = new TestClock()
  const { promise: work, resolve } = Promise.withResolvers<string>()
  const served: number[] = []
  for (let index = 0; index < 1_000; index += 1) {
    void inTime(clock, work).then(() => served.push(index))
  }
  await turn()
  expect(clock.sleepers).toHaveLength(1)
  resolve('done')
  await turn()
  const first = served.length
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThanOrEqual(100)
  const others = inTime(clock, work).then(() => served.push(1_000))
  while (served.length < 1_001) await clock.pass(0)
  await others
  expect(served).toEqual(Array.from({ length: 1_001 }, (_, index) => index))
  expect(clock.sleepers).toEqual([])
})

test('work that fails when nobody waits for it any more troubles nobody', async () => {
  const clock = new TestClock()
  const { promise: work, reject } = Promise.withResolvers<string>()
  const caller = inTime(clock, work)
  await clock.pass(MOST_WAIT_MS)
  expect(await caller).toBe('late')
  // Vitest fails a run in which a rejection is not handled.
  reject(new Error('failed'))
  await turn()
  await expect(inTime(clock, work)).rejects.toThrow('failed')
})

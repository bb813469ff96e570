import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/domain/clock.ts'
import { inTime, MOST_WAIT_MS } from '../../src/vault/in-time.ts'

/** Time that passes when the test says so. Timers may fire a little early. */
class TestClock implements Clock {
  nowMs = 0
  sleepers: { atMs: number; wake: () => void }[] = []
  readonly #earlyMs: number

  constructor(earlyMs = 0) {
    this.#earlyMs = earlyMs
  }

  monotonicMs = () => this.nowMs

  sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal?.aborted === true) resolve()
      const sleeper = { atMs: this.nowMs + Math.max(0, ms - this.#earlyMs), wake: resolve }
      this.sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper)
        resolve()
      })
    })

  /** Wakes those whose time has come, once. */
  async turn(): Promise<void> {
    const woken = this.sleepers.filter(({ atMs }) => atMs <= this.nowMs)
    this.sleepers = this.sleepers.filter(({ atMs }) => atMs > this.nowMs)
    for (const { wake } of woken) wake()
    await setImmediate()
  }

  async passTo(ms: number): Promise<void> {
    this.nowMs = ms
    for (let turns = 0; turns < 5; turns += 1) await this.turn()
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

const CALLERS = fc.array(fc.nat({ max: 60_000 }), { minLength: 1, maxLength: 120 })

test('whoever comes less than 15 s before the end of the work has what it comes to, and who comes earlier is late', async () => {
  const scenario = fc.record({
    momentsMs: CALLERS,
    endsMs: fc.nat({ max: 60_000 }),
    fails: fc.boolean(),
    earlyMs: fc.nat({ max: 2 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ momentsMs, endsMs, fails, earlyMs }) => {
      const clock = new TestClock(earlyMs)
      const { promise: work, resolve, reject } = Promise.withResolvers<string>()
      // Before the first caller comes, nobody listens.
      work.catch(() => undefined)
      const error = new Error('failed')
      const callers: { at: number; watch: { has: unknown } }[] = []
      for (const at of [...momentsMs, endsMs].sort((one, other) => one - other)) {
        await clock.passTo(at)
        callers.push({ at, watch: watched(inTime(clock, work)) })
        if (at !== endsMs) continue
        if (fails) reject(error)
        else resolve('done')
        await clock.passTo(at)
      }
      await clock.passTo(clock.nowMs)
      const outcome = fails ? error : 'done'
      const expected = callers.map(({ at }) => (endsMs - at >= MOST_WAIT_MS ? 'late' : outcome))
      expect(callers.map(({ watch }) => watch.has)).toEqual(expected)
      expect(clock.sleepers).toEqual([])
    }),
    { numRuns: 300 },
  )
})

/** A thousand callers of one work; `told` are those who have their answer, in its order. */
async function crowd(clock: Clock, work: Promise<string>) {
  const told: string[] = []
  for (let index = 0; index < 1_000; index += 1) {
    void inTime(clock, work).then((answer) => told.push(`${answer} ${index}`))
  }
  await setImmediate()
  return told
}

const numbered = (answer: string) => Array.from({ length: 1_000 }, (_, index) => `${answer} ${index}`)

test('a crowd has one timer, and is let go in the order in which it came, fifty at a time', async () => {
  const clock = new TestClock()
  const { promise: work, resolve } = Promise.withResolvers<string>()
  const told = await crowd(clock, work)
  expect(clock.sleepers).toHaveLength(1)
  resolve('done')
  await setImmediate()
  expect(told).toHaveLength(50)
  const last = watched(inTime(clock, work))
  for (let turns = 1; turns < 20; turns += 1) {
    expect(last.has).toBeUndefined()
    await clock.turn()
  }
  expect(told).toEqual(numbered('done'))
  await clock.turn()
  expect(last.has).toBe('done')
  expect(clock.sleepers).toEqual([])
})

test('a crowd for which the work takes too long is told so fifty at a time, too', async () => {
  const clock = new TestClock()
  const told = await crowd(clock, new Promise<string>(() => undefined))
  clock.nowMs = MOST_WAIT_MS
  await clock.turn()
  expect(told).toHaveLength(50)
  for (let turns = 1; turns < 20; turns += 1) await clock.turn()
  expect(told).toEqual(numbered('late'))
  expect(clock.sleepers).toEqual([])
})

test('work that fails when nobody waits for it any more troubles nobody', async () => {
  const clock = new TestClock()
  const { promise: work, reject } = Promise.withResolvers<string>()
  const caller = inTime(clock, work)
  await clock.passTo(MOST_WAIT_MS)
  expect(await caller).toBe('late')
  // Vitest fails a run in which a rejection is not handled.
  reject(new Error('failed'))
  await setImmediate()
  await expect(inTime(clock, work)).rejects.toThrow('failed')
})

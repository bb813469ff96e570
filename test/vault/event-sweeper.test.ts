import { onTestFinished, expect, test } from 'vitest'
import type { EventStore } from '../../src/domain/event-store.ts'
import { createEventSweeper } from '../../src/vault/event-sweeper.ts'

type Sweep = EventStore['sweep']

/** A sweeper whose clock goes on by itself, up to so many sleeps. */
function sweeping(sweep: Sweep, mostSleeps = 20) {
  const told: unknown[] = []
  const slept: number[] = []
  const asked: [number, string | null][] = []
  let nowMs = 0
  const sweeper = createEventSweeper({
    events: {
      sweep: (days, from) => {
        asked.push([days, from])
        nowMs += 30
        return sweep(days, from)
      },
    },
    days: 7,
    clock: {
      monotonicMs: () => nowMs,
      async sleep(ms, signal) {
        slept.push(ms)
        nowMs += ms
        if (slept.length >= mostSleeps)
          await new Promise((resolve) => signal?.addEventListener('abort', resolve))
        else await new Promise(setImmediate)
      },
    },
    random: () => 0.25,
    observer: {
      eventsSwept: (deleted) => void told.push(deleted),
      sweepFailed: (error) => void told.push(error),
    },
  })
  sweeper.start()
  onTestFinished(() => {
    sweeper.stop()
  })
  return { told, slept, asked, sweeper }
}

test('a sweep goes from namespace to namespace, and rests for as long as it works', async () => {
  const next = ['b', 'c', null]
  const { told, slept, asked } = sweeping(() =>
    Promise.resolve({ deleted: 5, next: next[(asked.length - 1) % 3] ?? null }),
  )
  await expect.poll(() => told.length).toBeGreaterThanOrEqual(2)
  const round = [null, 'b', 'c'].map((from) => [7, from])
  expect(asked.slice(0, 6)).toEqual([...round, ...round])
  expect(told.slice(0, 2)).toEqual([15, 15])
  expect(slept.slice(0, 5)).toEqual([900_000, 30, 30, 30, 900_000])
})

test('a sweep that fails is told, and tried again within the hour', async () => {
  const error = new Error('no database')
  let fails = true
  const { told } = sweeping(() => {
    const outcome = fails ? Promise.reject(error) : Promise.resolve({ deleted: 3, next: null })
    fails = false
    return outcome
  })
  await expect.poll(() => told.length).toBeGreaterThanOrEqual(2)
  expect(told.slice(0, 2)).toEqual([error, 3])
})

test('a sweeper that is stopped deletes nothing any more', async () => {
  const { asked, sweeper } = sweeping(() => {
    sweeper.stop()
    return Promise.resolve({ deleted: 1_000, next: 'b' })
  }, 1_000)
  await expect.poll(() => asked.length).toBe(1)
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
  expect(asked).toHaveLength(1)
})

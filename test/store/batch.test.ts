import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { createBatch } from '../../src/store/batch.ts'

/** Batches as they were run. */
const runs: string[][] = []

const away = new Error('the storage is away')
const isCommon = (error: unknown) => error === away

function batchOf(
  run: (items: readonly string[]) => Promise<string[]>,
  patienceMs?: number,
  gatherMs?: number,
) {
  runs.length = 0
  const recorded = (items: readonly string[]) => {
    runs.push([...items])
    return run(items)
  }
  return createBatch({
    run: recorded,
    isCommon,
    ...(patienceMs !== undefined && { patienceMs }),
    ...(gatherMs !== undefined && { gatherMs }),
  })
}

const upper = (items: readonly string[]) => Promise.resolve(items.map((item) => item.toUpperCase()))

test('what is asked for in one turn of the event loop is run at once, and each asker has its own result', async () => {
  const ask = batchOf(upper)
  expect(await Promise.all(['a', 'b', 'c'].map(ask))).toEqual(['A', 'B', 'C'])
  expect(runs).toEqual([['a', 'b', 'c']])
})

test('what comes while the first one waits for others goes with it', async () => {
  const ask = batchOf(upper, 60_000, 50)
  const asked: Promise<string>[] = []
  for (const item of ['a', 'b', 'c']) {
    asked.push(ask(item))
    await new Promise(setImmediate)
  }
  expect(await Promise.all(asked)).toEqual(['A', 'B', 'C'])
  expect(runs).toEqual([['a', 'b', 'c']])
})

test('a batch that is full waits for no more, however many there are', async () => {
  const ask = batchOf(upper, 60_000, 60_000)
  const items = Array.from({ length: 500 }, (_, index) => `item-${index}`)
  const asked: Promise<string>[] = []
  for (const [index, item] of items.entries()) {
    asked.push(ask(item))
    if (index % 7 === 0) await new Promise(setImmediate)
  }
  expect(await Promise.all(asked)).toEqual(items.map((item) => item.toUpperCase()))
  expect(runs.map(({ length }) => length)).toEqual([100, 100, 100, 100, 100])
})

test('what comes in while two batches are under way makes one more', async () => {
  const gates: (() => void)[] = []
  const ask = batchOf(async (items) => {
    await new Promise<void>((open) => gates.push(open))
    return upper(items)
  }, 60_000)
  const asked: Promise<string>[] = []
  for (const item of ['a', 'b', 'c', 'd', 'e']) {
    asked.push(ask(item))
    await new Promise(setImmediate)
  }
  expect(runs).toEqual([['a'], ['b']])
  gates.shift()?.()
  gates.shift()?.()
  await vi.waitFor(() => {
    expect(runs).toEqual([['a'], ['b'], ['c', 'd', 'e']])
  })
  gates.shift()?.()
  expect(await Promise.all(asked)).toEqual(['A', 'B', 'C', 'D', 'E'])
})

test('an item that makes a batch fail fails alone', async () => {
  const ask = batchOf((items) =>
    items.includes('bad') ? Promise.reject(new Error(`bad among ${items.length}`)) : upper(items),
  )
  const settled = await Promise.allSettled(['a', 'bad', 'c'].map(ask))
  expect(settled).toEqual([
    { status: 'fulfilled', value: 'A' },
    { status: 'rejected', reason: new Error('bad among 1') },
    { status: 'fulfilled', value: 'C' },
  ])
})

test('an item that takes long holds up neither the others of its batch nor the next ones', async () => {
  let release: () => void = () => undefined
  const slow = new Promise<void>((open) => (release = open))
  const ask = batchOf(async (items) => {
    if (items.includes('slow')) await slow
    return upper(items)
  }, 10)
  const [held, ...others] = ['slow', 'a', 'b', 'c'].map(ask)
  expect(await Promise.all(others)).toEqual(['A', 'B', 'C'])
  const more = await Promise.all(['d', 'e'].map(ask))
  expect(more).toEqual(['D', 'E'])
  release()
  expect(await held).toBe('SLOW')
})

test('an error of all of them is told to each, and nothing is run again', async () => {
  const ask = batchOf(() => Promise.reject(away))
  const settled = await Promise.allSettled(['a', 'b', 'c'].map(ask))
  expect(settled).toEqual(Array.from({ length: 3 }, () => ({ status: 'rejected', reason: away })))
  expect(runs).toHaveLength(1)
})

test('a batch that ends late after all is believed, and what was not yet run alone is not run', async () => {
  let release: () => void = () => undefined
  const slow = new Promise<void>((open) => (release = open))
  const items = Array.from({ length: 20 }, (_, index) => `item ${index}`)
  const ask = batchOf(async (asked) => {
    await slow
    return upper(asked)
  }, 1)
  const asked = Promise.all(items.map(ask))
  await pause(20)
  release()
  expect(await asked).toEqual(await upper(items))
  expect(runs.length).toBeLessThan(items.length)
})

test('whatever fails, is slow or comes when, every item has its own result or its own error, once', async () => {
  const behaviour = fc.constantFrom('fine', 'fine', 'fine', 'bad', 'slow')
  const arrivals = fc.array(fc.record({ behaviour, after: fc.nat(3) }), { minLength: 1, maxLength: 150 })
  await fc.assert(
    fc.asyncProperty(arrivals, async (plan) => {
      const ask = batchOf(async (items) => {
        if (items.some((item) => item.startsWith('slow'))) await pause(8)
        if (items.some((item) => item.startsWith('bad'))) throw new Error('bad')
        return upper(items)
      }, 4)
      const asked = plan.map(async ({ behaviour, after }, index) => {
        if (after > 0) await pause(after)
        const item = `${behaviour} ${index}`
        return { item, told: await ask(item).catch((error: unknown) => error) }
      })
      for (const { item, told } of await Promise.all(asked)) {
        if (item.startsWith('bad')) expect(told).toEqual(new Error('bad'))
        else expect(told).toBe(item.toUpperCase())
      }
    }),
    { numRuns: 60 },
  )
})

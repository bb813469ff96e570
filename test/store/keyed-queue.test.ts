import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKeyedQueue } from '../../src/store/keyed-queue.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('work that shares a key never overlaps, whatever other keys it has, and all of it is done', async () => {
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(fc.array(keys, { maxLength: 20 }), async (orders) => {
      const queue = createKeyedQueue()
      const busy = new Set<string>()
      const done = await Promise.all(
        orders.map((order, index) =>
          queue(order, async () => {
            expect(order.some((key) => busy.has(key))).toBe(false)
            order.forEach((key) => busy.add(key))
            await turn()
            order.forEach((key) => busy.delete(key))
            return index
          }),
        ),
      )
      expect(done).toEqual(orders.map((_, index) => index))
    }),
    { numRuns: 200 },
  )
})

test('work that shares no key does not wait', async () => {
  const queue = createKeyedQueue()
  void queue(['a'], () => new Promise(() => undefined))
  await expect(queue(['b'], () => Promise.resolve('done'))).resolves.toBe('done')
})

test('work that fails is not the end of the line', async () => {
  const queue = createKeyedQueue()
  const failed = queue(['a'], () => Promise.reject(new Error('no')))
  const next = queue(['a'], () => Promise.resolve('done'))
  await expect(failed).rejects.toThrow('no')
  await expect(next).resolves.toBe('done')
})

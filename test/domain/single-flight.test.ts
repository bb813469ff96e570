import { expect, test } from 'vitest'
import { createSingleFlight } from '../../src/domain/single-flight.ts'

/** Work that counts how often it is begun, and ends when it is told. */
function countedWork() {
  const ends = Promise.withResolvers<string>()
  let begun = 0
  const work = () => {
    begun += 1
    return ends.promise
  }
  return { work, ends, begun: () => begun }
}

test('whoever asks while the work of a key is under way shares its outcome', async () => {
  const { work, ends, begun } = countedWork()
  const once = createSingleFlight<string>()
  const asked = [once('a', work), once('a', work)]
  ends.resolve('done')
  expect(await Promise.all(asked)).toEqual(['done', 'done'])
  expect(begun()).toBe(1)
})

test('another key has work of its own', async () => {
  const { work, ends, begun } = countedWork()
  const once = createSingleFlight<string>()
  const asked = [once('a', work), once('b', work)]
  ends.resolve('done')
  await Promise.all(asked)
  expect(begun()).toBe(2)
})

test('a failure is shared too, and who asks afterwards begins anew', async () => {
  const { work, ends } = countedWork()
  const once = createSingleFlight<string>()
  const asked = [once('a', work), once('a', work)]
  ends.reject(new Error('failed'))
  for (const each of asked) await expect(each).rejects.toThrow('failed')
  expect(await once('a', () => Promise.resolve('done'))).toBe('done')
})

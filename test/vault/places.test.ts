import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPlaces } from '../../src/vault/places.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('places', () => {
  test('leave a quarter to others while one provider takes all it can', async () => {
    const places = createPlaces(32)
    let [slow, other] = [0, 0]
    for (let count = 0; count < 100; count += 1) void places.take('slow').then(() => (slow += 1))
    for (let count = 0; count < 100; count += 1) void places.take('other').then(() => (other += 1))
    await turn()
    expect([slow, other]).toEqual([24, 8])
  })

  test('are one at least, for a replica that renews one at a time', async () => {
    const places = createPlaces(1)
    await places.take('slow')
    expect(places.reserve().total).toBe(0)
  })

  test('go to those who wait before a search for due tokens takes the rest', async () => {
    const places = createPlaces(2)
    await places.take('a')
    await places.take('b')
    let served = false
    void places.take('c').then(() => (served = true))
    places.give('a')
    await turn()
    expect(served).toBe(true)
    expect(places.reserve().total).toBe(0)
  })

  test('that a search has reserved and not used are there again', async () => {
    const places = createPlaces(8)
    const reservation = places.reserve()
    let served = false
    void places.take('a').then(() => (served = true))
    await turn()
    expect([served, reservation.total, reservation.of('a')]).toEqual([false, 8, 6])
    reservation.keep(['b', 'b'])
    await turn()
    expect(served).toBe(true)
    expect(places.reserve().total).toBe(5)
  })

  test('are never more than there are, for a provider or for all, whatever happens in whatever order', async () => {
    const step = fc.record({
      what: fc.constantFrom('take', 'give', 'search'),
      provider: fc.constantFrom('a', 'b', 'c'),
    })
    const run = async (most: number, steps: { what: string; provider: string }[]) => {
      const places = createPlaces(most)
      const taken = { a: 0, b: 0, c: 0 } as Record<string, number>
      for (const { what, provider } of steps) {
        if (what === 'take') {
          void places.take(provider).then(() => (taken[provider] = (taken[provider] ?? 0) + 1))
        } else if (what === 'give' && (taken[provider] ?? 0) > 0) {
          taken[provider] = (taken[provider] ?? 0) - 1
          places.give(provider)
        } else if (what === 'search') {
          const reservation = places.reserve()
          reservation.keep([])
        }
        await turn()
        const counts = Object.values(taken)
        const all = counts.reduce((sum, count) => sum + count, 0)
        expect(all).toBeLessThanOrEqual(most)
        expect(Math.max(...counts)).toBeLessThanOrEqual(Math.max(1, Math.floor((most * 3) / 4)))
      }
    }
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 60 }), run))
  })
})

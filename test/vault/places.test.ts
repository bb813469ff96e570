import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPlaces } from '../../src/vault/places.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('places', () => {
  test('are left for others by a provider that takes all it can, but not by four of them', async () => {
    const places = createPlaces(32)
    const taken: number[] = []
    for (const provider of ['a', 'b', 'c', 'd', 'e']) {
      let own = 0
      for (let count = 0; count < 100; count += 1) void places.take(provider).then(() => (own += 1))
      await turn()
      taken.push(own)
    }
    expect(taken).toEqual([24, 6, 1, 1, 0])
  })

  test('are left by a search that finds more than there is room for, of several providers', async () => {
    const places = createPlaces(32)
    const found = { hanging: 0, other: 0 }
    for (let round = 0; round < 9; round += 1) {
      const reservation = places.reserve()
      const hanging = reservation.of('hanging')
      const other = Math.min(reservation.total - hanging, reservation.of('other'))
      reservation.keep([...Array<string>(hanging).fill('hanging'), ...Array<string>(other).fill('other')])
      found.hanging += hanging
      found.other += other
    }
    let served = false
    void places.take('living').then(() => (served = true))
    await turn()
    expect([found, served]).toEqual([{ hanging: 24, other: 6 }, true])
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
    expect([reservation.total, reservation.of('a')]).toEqual([6, 6])
    let served = 0
    for (let count = 0; count < 3; count += 1) void places.take('a').then(() => (served += 1))
    await turn()
    expect(served).toBe(1)
    reservation.keep(['b', 'b'])
    await turn()
    expect(served).toBe(3)
    expect(places.reserve().total).toBe(2)
  })

  test('call for the next search when half of them have been given back since the last one', async () => {
    const places = createPlaces(8)
    places.reserve().keep(Array<string>(6).fill('a'))
    places.give('a')
    let called = false
    void places.givenBack().then(() => (called = true))
    for (let gives = 1; gives <= 4; gives += 1) {
      await turn()
      expect(called).toBe(false)
      places.give('a')
    }
    await turn()
    expect(called).toBe(true)
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

import { expect, test } from 'vitest'
import type { Figures } from '../../bench/rounds.ts'
import { byTurns, median, perSecondOf, ratio, rowsOf } from '../../bench/rounds.ts'

const figures = (perSecond: number, p50Ms: number | null = null): Figures => ({
  perSecond,
  p50Ms,
  p99Ms: null,
  cpuSecondsPer1000: null,
  rssMb: null,
})

test('contenders run by turns, and each keeps its rounds in their order', async () => {
  const order: string[] = []
  const contender = (name: string) => () => {
    order.push(name)
    return Promise.resolve(figures(order.length))
  }
  const rounds = await byTurns({ one: contender('one'), other: contender('other') }, 2)
  expect(order).toEqual(['one', 'other', 'one', 'other'])
  expect(rounds.one.map(perSecondOf)).toEqual([1, 3])
  expect(rounds.other.map(perSecondOf)).toEqual([2, 4])
})

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
  [[10, 9, 100], 10],
  [[], NaN],
])('the median of %j is %d', (given, expected) => {
  expect(median(given)).toBe(expected)
})

test('a ratio is the median of the ratios of neighbouring rounds, not the ratio of the medians', () => {
  const ones = [figures(10), figures(40), figures(90)]
  const others = [figures(5), figures(10), figures(60)]
  expect(ratio(ones, others, perSecondOf)).toBe(2)
})

test('what is unknown in every round is unknown in the table, and what is known in some is their median', () => {
  const [row] = rowsOf({ one: [figures(1, 5), figures(3), figures(2, 7)] })
  expect(row).toEqual({ ...figures(2, 6), name: 'one' })
})

import { expect, test } from 'vitest'
import { createProgress } from '../../src/commands/progress.ts'

function shownOf(total: number, isTTY: boolean): string[] {
  const texts: string[] = []
  const progress = createProgress({ isTTY, write: (text) => texts.push(text) }, 'Rows', total)
  for (let count = 0; count < total; count += 1) progress.advance(1)
  progress.end()
  return texts
}
const percentsOf = (texts: string[]) => texts.flatMap((text) => /(\d+) %/.exec(text)?.[1] ?? []).map(Number)

test.each([100, 1_000, 7_919])('of %i a file is told each tenth once, and the end', (total) => {
  const [first, ...others] = percentsOf(shownOf(total, false))
  expect(first).toBeLessThan(10)
  expect(others).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
})

test('of a few rows a file is told each, and that of the last one is not the end', () => {
  expect(percentsOf(shownOf(3, false))).toEqual([33, 66, 99, 100])
})

test('a terminal is shown each hundredth once, in place, and a line break at the end', () => {
  const texts = shownOf(1_000, true)
  expect(percentsOf(texts)).toEqual(Array.from({ length: 101 }, (_, percent) => percent))
  expect(texts.slice(0, -1).every((text) => text.startsWith('\r'))).toBe(true)
  expect(texts.at(-1)).toBe('\n')
})

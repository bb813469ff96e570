import { describe, expect, test } from 'vitest'
import type { CaseResult } from '../../bench/report/case-result.ts'
import { atLeast, atMost, short } from '../../bench/report/case-result.ts'
import { toChart } from '../../bench/report/chart.ts'
import { replaceSection } from '../../bench/report/document.ts'
import { toMarkdown } from '../../bench/report/table.ts'

const FIGURES = { p50Ms: 6.4, p99Ms: null, cpuSecondsPer1000: 0.2351, rssMb: 99.9 }
const RESULT: CaseResult = {
  title: 'Find <by> user',
  rows: [
    { ...FIGURES, name: 'vault', perSecond: 8800 },
    { ...FIGURES, name: 'hand-written', perSecond: 4400 },
  ],
  verdicts: [atLeast('throughput', 2.004, 2, ' ×'), atMost('p99', 1.2, 1, ' ×')],
  notes: ['One machine.'],
}

test.each([
  [12_345, '12,300'],
  [0.012345, '0.0123'],
  [99.96, '100'],
  [3, '3'],
])('%d is written as %s', (figure, text) => {
  expect(short(figure)).toBe(text)
})

describe('the table', () => {
  test('has a line for each contender, and leaves empty what is not known', () => {
    expect(toMarkdown([RESULT])).toContain(
      [
        '|              | a second | p50 ms | p99 ms | CPU s / 1,000 | RSS MB |',
        '| ------------ | -------: | -----: | -----: | ------------: | -----: |',
        '| vault        |    8,800 |    6.4 |        |         0.235 |   99.9 |',
        '| hand-written |    4,400 |    6.4 |        |         0.235 |   99.9 |',
      ].join('\n'),
    )
  })

  test('says of each target whether it is met', () => {
    const lines = toMarkdown([RESULT]).split('\n')
    expect(lines).toContain('| throughput |      2 × |  ≥ 2 × |    yes |')
    expect(lines).toContain('| p99        |    1.2 × |  ≤ 1 × | **no** |')
  })
})

test.each([
  ['at least', atLeast('', 2, 2, ''), true],
  ['at least', atLeast('', 1.999, 2, ''), false],
  ['at most', atMost('', 1, 1, ''), true],
  ['at most', atMost('', NaN, 1, ''), false],
])('a figure that has to be %s its target: %o', (_kind, verdict, isMet) => {
  expect(verdict.isMet).toBe(isMet)
})

describe('the chart', () => {
  test('draws the fastest of a case longest, and the others in proportion', () => {
    const widths = [...toChart([RESULT]).matchAll(/<rect class="\w+" .* width="(\d+)"/g)].map(([, width]) =>
      Number(width),
    )
    expect(widths).toHaveLength(2)
    expect(widths[0]).toBe((widths[1] ?? 0) * 2)
  })

  test('takes names as text, and leaves out what is compared with nothing', () => {
    const alone = { ...RESULT, title: 'Alone', rows: RESULT.rows.slice(1) }
    const chart = toChart([RESULT, alone])
    expect(chart).toContain('Find &lt;by> user')
    expect(chart).not.toContain('Alone')
  })
})

describe('a section of the document', () => {
  const text = 'Before.\n\n<!-- bench: begin -->\n\nold\n\n<!-- bench: end -->\n\nAfter.\n'

  test('is replaced, and nothing else', () => {
    expect(replaceSection(text, 'bench', 'new $& text')).toBe(text.replace('old', () => 'new $& text'))
  })

  test('that is not there is an error', () => {
    expect(() => replaceSection(text, 'flat', 'new')).toThrow('no section flat')
  })
})

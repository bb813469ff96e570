import type { CaseResult, Verdict } from './case-result.ts'
import { short } from './case-result.ts'
import type { Row } from '../rounds.ts'

const HEADINGS = ['', 'a second', 'p50 ms', 'p99 ms', 'CPU s / 1,000', 'RSS MB']

/** All results in Markdown, which reads as well on a terminal. */
export function toMarkdown(results: CaseResult[]): string {
  return results.map(caseText).join('\n\n')
}

function caseText({ title, rows, verdicts, notes, extra = [] }: CaseResult): string {
  const parts = [
    `### ${title}`,
    rows.length > 0 ? table([HEADINGS, ...rows.map(cellsOf)]) : '',
    verdicts.length > 0 ? table([['', 'measured', 'target', 'met'], ...verdicts.map(verdictCells)]) : '',
    extra.length > 0 ? table(extra) : '',
    notes.map((note) => `- ${note}`).join('\n'),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function cellsOf({ name, perSecond, p50Ms, p99Ms, cpuSecondsPer1000, rssMb }: Row): string[] {
  const figures = [perSecond, p50Ms, p99Ms, cpuSecondsPer1000, rssMb]
  return [name, ...figures.map((figure) => (figure === null ? '' : short(figure)))]
}

function verdictCells({ what, figure, target, isMet }: Verdict): string[] {
  return [what, figure, target, isMet ? 'yes' : '**no**']
}

/** The first column to the left, figures to the right. */
function table(lines: string[][]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(3, ...lines.map((cells) => (cells[column] ?? '').length)),
  )
  const [head = [], ...body] = lines.map((cells) =>
    cells.map((cell, column) => {
      const width = widths[column] ?? 0
      return column === 0 ? cell.padEnd(width) : cell.padStart(width)
    }),
  )
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

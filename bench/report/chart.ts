import type { CaseResult } from './case-result.ts'
import { short } from './case-result.ts'

const WIDTH = 880
const MARGIN = 24
const NAMES_WIDTH = 230
const FIGURES_WIDTH = 90
const BARS_WIDTH = WIDTH - 2 * MARGIN - NAMES_WIDTH - FIGURES_WIDTH
const TITLE_HEIGHT = 34
const BAR_HEIGHT = 16
const LINE_HEIGHT = 24

const STYLE = `
      .title { font-weight: 600; fill: #223 }
      .note { font-size: 12px; fill: #445 }
      .bar { fill: #aab4c8 }
      .vault { fill: #2457a6 }`

/** How much each contender did in a second, case by case, as an SVG image. The longest bar of a case is its fastest. */
export function toChart(results: CaseResult[]): string {
  const compared = results.filter(({ rows }) => rows.length > 1)
  let top = MARGIN / 2
  const panels = compared.map((result) => {
    const panel = panelOf(result, top)
    top += TITLE_HEIGHT + result.rows.length * LINE_HEIGHT
    return panel
  })
  const height = top + MARGIN
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="14">
  <defs>
    <style>${STYLE}
    </style>
  </defs>
  <rect width="${WIDTH}" height="${height}" fill="#fafbfd"/>
${panels.join('\n')}
</svg>
`
}

function panelOf({ title, rows }: CaseResult, top: number): string {
  const most = Math.max(...rows.map(({ perSecond }) => perSecond))
  const bars = rows.map(({ name, perSecond }, line) => {
    const y = top + TITLE_HEIGHT + line * LINE_HEIGHT
    const length = Math.max(1, Math.round((perSecond / most) * BARS_WIDTH))
    const baseline = y + BAR_HEIGHT - 4
    const x = MARGIN + NAMES_WIDTH
    return `  <text class="note" x="${x - 10}" y="${baseline}" text-anchor="end">${escape(name)}</text>
  <rect class="${name === 'vault' ? 'vault' : 'bar'}" x="${x}" y="${y}" width="${length}" height="${BAR_HEIGHT}"/>
  <text class="note" x="${x + length + 8}" y="${baseline}">${short(perSecond)}/s</text>`
  })
  return [
    `  <text class="title" x="${MARGIN}" y="${top + TITLE_HEIGHT - 12}">${escape(title)}</text>`,
    ...bars,
  ].join('\n')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

import { readFile, writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'

const DOCUMENT = new URL('../../docs/performance.md', import.meta.url)
const CHART = new URL('../../docs/performance.svg', import.meta.url)

/** Puts what was measured where docs/performance.md keeps it: between two comments that bear the section's name. */
export async function writeSection(section: string, markdown: string): Promise<void> {
  const text = replaceSection(await readFile(DOCUMENT, 'utf8'), section, markdown)
  const config = await resolveConfig(DOCUMENT)
  await writeFile(DOCUMENT, await format(text, { ...config, parser: 'markdown' }))
}

export async function writeChart(svg: string): Promise<void> {
  await writeFile(CHART, svg)
}

/** @throws Error where the text has no such section */
export function replaceSection(text: string, section: string, markdown: string): string {
  const [begin, end] = [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no section ${section}`)
  return `${text.slice(0, from + begin.length)}\n\n${markdown}\n\n${text.slice(to)}`
}

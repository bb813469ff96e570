import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const renewal = textOf('docs/renewal.md')

const codeIn = (text: string) => [...text.matchAll(/`([^`]*)`/g)].map(([, code = '']) => code)
const rowsBelow = (head: string) => {
  const [table = ''] = renewal.slice(renewal.indexOf(head)).split('\n\n')
  return table.split('\n').slice(2)
}

/** Names, each with the file that comes after it; a file stands for itself, too. */
function placesIn(row: string): { name: string; file: string | undefined }[] {
  const words = codeIn(row)
  const isFile = (word: string) => word.endsWith('.ts')
  return words.map((name, at) => ({ name, file: words.slice(at).find(isFile) }))
}

it('docs/renewal.md finds each function in the file that it names', () => {
  const places = rowsBelow('| step').flatMap(placesIn)
  const isThere = ({ name, file }: (typeof places)[number]) =>
    file !== undefined &&
    (name === file || new RegExp(`(function|const) ${name}\\b`).test(textOf(`src/${file}`)))
  expect(places.length).toBeGreaterThan(0)
  expect(places.filter((place) => !isThere(place))).toEqual([])
})

it('docs/renewal.md says of each code of a failed renewal what to do', () => {
  const codes = [...textOf('src/domain/token.ts').matchAll(/^ {4}\| '(.*)'$/gm)].map(([, code = '']) => code)
  expect(codes.length).toBeGreaterThan(0)
  const explained = rowsBelow('| `last_error.code`').map((row) => codeIn(row)[0])
  expect(explained.sort()).toEqual(codes.sort())
})

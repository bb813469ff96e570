import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import type { Columns } from '../../src/import/token-source.ts'
import { COLUMNS } from '../../src/import/token-source.ts'
import { openZohoFile } from '../../src/import/zoho-file.ts'
import type { Dialect } from './dialects.ts'
import { ANN, DIALECTS, lacking, ONEIL, rowsOf, written, ZOE } from './dialects.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vault-import-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function read(text: string | Buffer) {
  const path = join(folder, 'sdk_tokens.txt')
  writeFileSync(path, text)
  return rowsOf(await openZohoFile(path))
}

const columnsIn = async (text: string) => (await read(text)).map(({ columns }) => columns)

const HEADER = COLUMNS.join(',')

describe('a token file', () => {
  test('written by the Python SDK 6.0.0 is read as it was saved', async () => {
    const source = await openZohoFile(join(import.meta.dirname, 'fixtures/python.txt'))
    const rows = await rowsOf(source)
    expect(rows.slice(0, 3).map(({ columns }) => columns)).toEqual([ANN, ONEIL, ZOE])
    expect(rows[3]?.columns.redirect_url).toBe('https://app.example/a\nb')
    expect(rows.every(({ fault }) => fault === null)).toBe(true)
  })

  test.each(DIALECTS)('of $language is read as it was saved', async (dialect) => {
    expect(await columnsIn(written(dialect, [ANN, ONEIL, ZOE]))).toEqual([ANN, ONEIL, ZOE])
  })

  test.each(DIALECTS)('of an older SDK of $language has no api_domain', async (dialect) => {
    const older = [ANN, ONEIL, ZOE].map((row) => lacking(row, 'api_domain'))
    expect(await columnsIn(written(dialect, older, COLUMNS.length - 1))).toEqual(older)
  })

  test('may begin with a byte order mark, and hold carriage returns, blank lines and lines of commas', async () => {
    const [ann = '', zoe = ''] = written({ ...NODE, endsLastLine: false }, [ANN, ZOE])
      .split('\n')
      .slice(1)
    expect(
      await columnsIn(`\uFEFF${HEADER}\r\n\r\n${ann}\n,,,,,,,,,\n  \r\r\n${zoe}\r\r\n,\n`.replace('  ', '')),
    ).toEqual([ANN, ZOE])
  })

  test('that is empty, or holds nothing but its header and blank lines, has no rows', async () => {
    expect(await read(HEADER)).toEqual([])
    expect(await read(`${HEADER}\n\n,,,,\n`)).toEqual([])
  })

  test('names each row by the line on which it begins', async () => {
    const broken = { ...ZOE, redirect_url: 'https://app.example/\n\n' }
    const places = (await read(`${written(PYTHON, [ANN, broken, ANN])}\r\n${ANN.id ?? ''}\r\n`)).map(
      ({ place }) => place,
    )
    expect(places).toEqual(['line 2', 'line 3', 'line 6', 'line 8'])
  })

  test('gives back what a line break has cut in two as two faults', async () => {
    const rows = await read(written(NODE, [{ ...ANN, redirect_url: 'https://app.example/\nb' }, ZOE]))
    expect(rows.map(({ fault }) => fault)).toEqual([
      expect.stringMatching(/^has 9 of 10 fields: a line break/),
      expect.stringMatching(/^has 2 of 10 fields: a line break/),
      null,
    ])
    expect(rows[2]?.columns).toEqual(ZOE)
  })

  test('may have a user whose name begins with a quotation mark', async () => {
    const quoted = { ...ANN, user_name: '"ann smith"@example.com' }
    for (const dialect of DIALECTS)
      expect(await columnsIn(written(dialect, [quoted, ZOE]))).toEqual([quoted, ZOE])
  })

  test('tells where a quotation mark is not closed', async () => {
    const text = `${written(JAVA, [ANN])}2,"bob,1000.CLIENT,,r,,,,,\n`
    await expect(read(text)).rejects.toThrow(
      /sdk_tokens.txt: after line 3 a value begins with a quotation mark/,
    )
  })
})

function utf16(text: string): Buffer {
  return Buffer.from(`\uFEFF${text}`, 'utf16le')
}

test.each([
  ['', /sdk_tokens.txt: is empty/],
  [`${HEADER}\n1,${'a'.repeat(2 << 20)}\n`, /after line \d+ a row is longer than 1,048,576 characters/],
  ['name,age\nann,7\n', /is no token file of a Zoho SDK: its first line must be id,user_name,/],
  [`${HEADER},more\n`, /is no token file of a Zoho SDK/],
  [
    Buffer.from(`${HEADER}\n1,zo\xeb,c\n`, 'latin1'),
    /after line 1: is not UTF-8: convert .* with: iconv -f WINDOWS-1252 /,
  ],
  [utf16(`${HEADER}\r\n`), /is UTF-16, not UTF-8: convert .* with: iconv -f UTF-16 -t UTF-8$/],
  [utf16(`${HEADER}\r\n`).swap16(), /is UTF-16, not UTF-8: convert .* with: iconv -f UTF-16 -t UTF-8$/],
  [Buffer.from(`${HEADER}\n1,zo\xc3`, 'latin1'), /is not UTF-8: convert the file first/],
])('a file that is no token file is refused (%#)', async (text, fault) => {
  const reading = read(text)
  await expect(reading).rejects.toThrow(StartupError)
  await expect(reading).rejects.toThrow(fault)
})

test('a file that is not there is named', async () => {
  await expect(openZohoFile(join(folder, 'gone.txt'))).rejects.toThrow(
    `${join(folder, 'gone.txt')}: cannot be read (ENOENT)`,
  )
  await expect(openZohoFile(folder)).rejects.toThrow(`${folder}: cannot be read (EISDIR)`)
})

const dialectOf = (language: string) => DIALECTS.find((each) => each.language === language) ?? expect.fail()
const [PYTHON, NODE, JAVA] = [dialectOf('Python'), dialectOf('Node.js'), dialectOf('Java')]

/** What a dialect can write so that it can be told apart again: a quotation mark behind a comma may be one of Java's. */
function valuesOf({ quotes }: Dialect) {
  const text = fc.string({ unit: 'grapheme', minLength: 1 })
  if (quotes) return { plain: text, url: text }
  const plain = text.filter((value) => !/[,\r\n]|^"/.test(value))
  return { plain, url: text.filter((value) => !/[\r\n]|(?:^|,)"/.test(value)) }
}

test.each(DIALECTS)('every value of any language survives the file of $language', async (dialect) => {
  const { plain, url } = valuesOf(dialect)
  const fields = Object.fromEntries(
    COLUMNS.map((column) => [column, column === 'redirect_url' ? url : plain]),
  )
  const row = fc.record<Columns>(fields, { requiredKeys: ['id'] })
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 5 }), async (rows) => {
      expect(await columnsIn(written(dialect, rows))).toEqual(rows)
    }),
    { numRuns: 100 },
  )
})

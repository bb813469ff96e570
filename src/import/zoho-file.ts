import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import type { CsvError } from 'csv-parse'
import { parse } from 'csv-parse'
import { StartupError, unreadableFile } from '../domain/errors.ts'
import type { FileForm } from './file-form.ts'
import { examineFile } from './file-form.ts'
import type { Column, Columns, SourceRow, TokenSource } from './token-source.ts'
import { COLUMNS } from './token-source.ts'

/** A row with all its tokens is far shorter: a quotation mark that is never closed must not take the file into memory. */
const MOST_ROW_CHARACTERS = 1 << 20
const REDIRECT_URL = COLUMNS.indexOf('redirect_url')
/** Without `api_domain`, in files of older SDKs. */
const LEAST_COLUMNS = COLUMNS.length - 1

/**
 * The file of an SDK's FileStore, whichever language wrote it.
 * @throws StartupError where there is no such file
 */
export async function openZohoFile(path: string): Promise<TokenSource> {
  const form = await examineFile(path)
  return { name: path, count: form.rows, rows: readRows(path, form), close: () => undefined }
}

async function* readRows(path: string, form: FileForm): AsyncGenerator<SourceRow> {
  let width = 0
  for await (const { record, line } of readRecords(path, form)) {
    if (width === 0) width = widthOf(record, path)
    else if (record.some((field) => field !== '')) yield toRow(record, `line ${line}`, width)
  }
  if (width === 0) throw new StartupError(`${path}: is empty: not even a first line names its columns`)
}

/** Columns go by position: each language names some of them its own way. */
function widthOf(header: string[], path: string): number {
  const isHeader = header[0]?.trim().toLowerCase() === 'id'
  if (isHeader && header.length >= LEAST_COLUMNS && header.length <= COLUMNS.length) return header.length
  throw new StartupError(
    `${path}: is no token file of a Zoho SDK: its first line must be ${COLUMNS.join(',')}, or the same without api_domain`,
  )
}

function toRow(record: string[], place: string, width: number): SourceRow {
  if (record.length < width) {
    const fault = `has ${record.length} of ${width} fields: a line break in a value may have cut it in two`
    return { place, columns: {}, fault }
  }
  return { place, columns: columnsOf(joinSurplus(record, width)), fault: null }
}

/** What was written without quotation marks falls apart at the commas of its one field that may have some. */
function joinSurplus(record: string[], width: number): string[] {
  const after = REDIRECT_URL + 1 + record.length - width
  return [
    ...record.slice(0, REDIRECT_URL),
    record.slice(REDIRECT_URL, after).join(','),
    ...record.slice(after),
  ]
}

function columnsOf(fields: string[]): Columns {
  const given = COLUMNS.map((column, index): [Column, string] => [column, fields[index] ?? ''])
  return Object.fromEntries(given.filter(([, value]) => value !== ''))
}

interface FileRecord {
  record: string[]
  /** The line on which it begins. */
  line: number
}

async function* readRecords(path: string, { quoted }: FileForm): AsyncGenerator<FileRecord> {
  const parser = parse({
    bom: true,
    quote: quoted ? '"' : null,
    relax_quotes: true,
    relax_column_count: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: MOST_ROW_CHARACTERS,
    skip_empty_lines: true,
    info: true,
  })
  pipeline(createReadStream(path), parser, () => undefined)
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[]
      info: { lines: number }
    }>) {
      yield { record, line: info.lines - breaksIn(record) }
    }
  } catch (error) {
    throw faultOf(error, path)
  }
}

function breaksIn(record: string[]): number {
  return record.reduce((sum, field) => sum + (field.match(/\r\n|\r|\n/g)?.length ?? 0), 0)
}

function faultOf(error: unknown, path: string): unknown {
  const { code, lines } = error as Partial<CsvError>
  if (code?.startsWith('CSV_') !== true) return unreadableFile(path, error)
  if (code === 'CSV_MAX_RECORD_SIZE') {
    return new StartupError(
      `${path}: after line ${String(lines)} a row is longer than ${MOST_ROW_CHARACTERS.toLocaleString('en')} characters: a quotation mark may not be closed`,
    )
  }
  return new StartupError(
    `${path}: after line ${String(lines)} a value begins with a quotation mark that is not closed: mend it, and run the import again`,
  )
}

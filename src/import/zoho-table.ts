import { StartupError } from '../domain/errors.ts'
import type { Column, Columns, SourceRow } from './token-source.ts'
import { COLUMNS } from './token-source.ts'

/** What the SDKs call their table. */
const TABLES = ['oauthtoken', 'oauthtokens']
/** Names that columns have had. */
const FORMER: Record<string, Column> = { user_mail: 'user_name', redirect_uri: 'redirect_url' }
const TOKENS: Column[] = ['refresh_token', 'access_token', 'grant_token']

/**
 * The table of the database that holds the tokens, by the name that it has there.
 * @throws StartupError where there is none, or more than one
 */
export function chooseTable(database: string, tables: string[], given: string | undefined): string {
  const wanted = given === undefined ? TABLES : [given]
  const found = tables.filter((table) => wanted.includes(given === undefined ? table.toLowerCase() : table))
  const [table] = found
  if (table === undefined) {
    throw new StartupError(
      `${database}: has no table ${wanted.join(' or ')}: name the one to read with --table`,
    )
  }
  if (found.length > 1) {
    throw new StartupError(`${database}: has the tables ${found.join(' and ')}: choose one with --table`)
  }
  return table
}

/**
 * Which of the table's columns is which, whatever its age.
 * @throws StartupError where it has no column for tokens
 */
export function layoutOf(table: string, names: string[]): Map<string, Column> {
  const layout = new Map<string, Column>()
  for (const name of names) {
    const lower = name.toLowerCase()
    const column = COLUMNS.find((each) => each === lower) ?? FORMER[lower]
    if (column !== undefined) layout.set(name, column)
  }
  const known = new Set(layout.values())
  if (TOKENS.some((token) => known.has(token))) return layout
  throw new StartupError(`${table}: is no token table of a Zoho SDK: it has no column ${TOKENS.join(', ')}`)
}

/** A row of the table; values come as the driver reads them, text as its bytes where it may be mended otherwise. */
export function toRow(
  values: Record<string, unknown>,
  layout: Map<string, Column>,
  number: number,
): SourceRow {
  const columns: Columns = {}
  const unreadable: Column[] = []
  for (const [name, column] of layout) {
    const text = textOf(values[name])
    if (text === null) unreadable.push(column)
    else if (text !== '') columns[column] = text
  }
  return {
    place: columns.id === undefined ? `row ${number}` : `row ${number} (id ${columns.id})`,
    columns,
    fault: unreadable.length === 0 ? null : `holds what is not UTF-8: ${unreadable.join(', ')}`,
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Null for bytes that are not UTF-8: mended they would be another text. */
function textOf(value: unknown): string | null {
  if (value instanceof Uint8Array) return decoded(value)
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : ''
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes)
  } catch {
    return null
  }
}

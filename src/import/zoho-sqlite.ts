import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { StartupError } from '../domain/errors.ts'
import type { Column, SourceRow, TokenSource } from './token-source.ts'
import { chooseTable, layoutOf, toRow } from './zoho-table.ts'

/** An application that writes to it is waited for. */
const BUSY_MS = 5_000

/**
 * The token table of a SQLite file, opened for reading only.
 * @throws StartupError where there is none
 */
export function openZohoSqlite(path: string, table?: string): TokenSource {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
    try {
      return sourceOf(database, path, table)
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    throw faultOf(error, path)
  }
}

function sourceOf(database: DatabaseSync, path: string, given: string | undefined): TokenSource {
  const names = (sql: string, ...values: string[]) =>
    database
      .prepare(sql)
      .all(...values)
      .map(({ name }) => String(name))
  const table = chooseTable(
    path,
    names("select name from sqlite_schema where type in ('table', 'view')"),
    given,
  )
  const layout = layoutOf(`${path}, ${table}`, names('select name from pragma_table_info(?)', table))
  const counted = database.prepare(`select count(*) as count from ${quoted(table)}`).get()
  return {
    name: `${path}, table ${table}`,
    count: Number(counted?.['count']),
    rows: Readable.from(readRows(database, selectOf(database, table, layout), layout, path)),
    close() {
      database.close()
    },
  }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** Text as its bytes, since the driver mends what is not UTF-8. A database of UTF-16 has no such bytes. */
function selectOf(database: DatabaseSync, table: string, layout: Map<string, Column>): string {
  const encoding = database.prepare('pragma encoding').get()?.['encoding']
  const columns = [...layout.keys()].map((name) => {
    const column = quoted(name)
    if (encoding !== 'UTF-8') return column
    return `case typeof(${column}) when 'text' then cast(${column} as blob) else ${column} end as ${column}`
  })
  return `select ${columns.join(', ')} from ${quoted(table)}`
}

function* readRows(
  database: DatabaseSync,
  sql: string,
  layout: Map<string, Column>,
  path: string,
): Generator<SourceRow> {
  const statement = database.prepare(sql)
  statement.setReadBigInts(true)
  let number = 0
  try {
    for (const values of statement.iterate()) yield toRow(values, layout, (number += 1))
  } catch (error) {
    throw faultOf(error, path)
  }
}

function faultOf(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ERR_SQLITE_ERROR' ? new StartupError(`${path}: cannot be read (${message})`) : error
}

import type { Connection } from 'mysql2'
import { StartupError } from '../domain/errors.ts'
import type { Secret } from '../domain/secret.ts'
import type { Column, SourceRow, TokenSource } from './token-source.ts'
import { chooseTable, layoutOf, toRow } from './zoho-table.ts'

/** The server waits that long for a reader whose own database is slow. */
const SLOW_READER_SECONDS = 3_600

type Mysql = typeof import('mysql2')

/**
 * The token table of a MySQL or MariaDB database.
 * @throws StartupError where there is none, or mysql2 is not installed
 */
export async function openZohoMysql(
  url: Secret,
  table?: string,
  load: () => Promise<Mysql> = () => import('mysql2'),
): Promise<TokenSource> {
  const { createConnection, escapeId } = await loaded(load)
  const { host, pathname } = new URL(url.reveal())
  const name = `${host}${pathname}`
  try {
    // All values as text: a number would lose digits, a date would gain a time zone.
    const connection = createConnection({
      uri: url.reveal(),
      charset: 'utf8mb4',
      typeCast: (field) => field.string(),
    })
    try {
      return await sourceOf(connection, name, table, escapeId)
    } catch (error) {
      connection.destroy()
      throw error
    }
  } catch (error) {
    throw faultOf(error, name)
  }
}

async function loaded(load: () => Promise<Mysql>): Promise<Mysql> {
  try {
    return await load()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new StartupError('import zoho-mysql: needs the package mysql2: npm install mysql2')
  }
}

async function sourceOf(
  connection: Connection,
  name: string,
  given: string | undefined,
  escapeId: Mysql['escapeId'],
): Promise<TokenSource> {
  const select = async (sql: string, ...values: string[]) => {
    const [rows] = await connection.promise().query(sql, values)
    return (rows as { it: string }[]).map(({ it }) => it)
  }
  await connection.promise().query(`set session net_write_timeout = ${SLOW_READER_SECONDS}`)
  const here = 'from information_schema.columns where table_schema = database()'
  const table = chooseTable(name, await select(`select distinct table_name as it ${here}`), given)
  const names = await select(`select column_name as it ${here} and table_name = ?`, table)
  const layout = layoutOf(`${name}, ${table}`, names)
  const [count] = await select(`select count(*) as it from ${escapeId(table, true)}`)
  return {
    name: `${name}, table ${table}`,
    count: Number(count),
    rows: readRows(connection, `select * from ${escapeId(table, true)}`, layout, name),
    // A goodbye would wait behind the rows that nobody takes any more.
    close() {
      connection.destroy()
    },
  }
}

async function* readRows(
  connection: Connection,
  sql: string,
  layout: Map<string, Column>,
  name: string,
): AsyncGenerator<SourceRow> {
  let number = 0
  try {
    const rows = connection.query(sql).stream() as AsyncIterable<Record<string, unknown>>
    for await (const values of rows) yield toRow(values, layout, (number += 1))
  } catch (error) {
    throw faultOf(error, name)
  }
}

function faultOf(error: unknown, name: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof StartupError || code === undefined) return error
  return new StartupError(`${name}: cannot be read (${code}${message === '' ? '' : `: ${message}`})`)
}

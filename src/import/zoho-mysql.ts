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
    // With nobody who listens, a lost connection would end the process.
    const loss = new AbortController()
    connection.on('error', (error) => {
      loss.abort(error)
    })
    try {
      return await sourceOf({ connection, lost: loss.signal, name, escapeId }, table)
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

interface Opened {
  connection: Connection
  /** Aborts with the error that ended the connection. */
  lost: AbortSignal
  name: string
  escapeId: Mysql['escapeId']
}

async function sourceOf(opened: Opened, given: string | undefined): Promise<TokenSource> {
  const { connection, name, escapeId } = opened
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
    rows: readRows(opened, `select * from ${escapeId(table, true)}`, layout),
    // A goodbye would wait behind the rows that nobody takes any more.
    close() {
      connection.destroy()
    },
  }
}

async function* readRows(
  { connection, lost, name }: Opened,
  sql: string,
  layout: Map<string, Column>,
): AsyncGenerator<SourceRow> {
  let number = 0
  try {
    lost.throwIfAborted()
    const rows = connection.query(sql).stream()
    // The driver tells the connection of a loss, and leaves who reads its rows waiting.
    lost.addEventListener('abort', () => rows.destroy(lost.reason as Error))
    for await (const values of rows) yield toRow(values as Record<string, unknown>, layout, (number += 1))
  } catch (error) {
    throw faultOf(error, name)
  }
}

function faultOf(error: unknown, name: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof StartupError || code === undefined) return error
  return new StartupError(`${name}: cannot be read (${code}${message === '' ? '' : `: ${message}`})`)
}

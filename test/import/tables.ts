import type { Columns } from '../../src/import/token-source.ts'
import { ANN, lacking, ONEIL, ZOE } from './dialects.ts'

/** A table of tokens as SDKs, or guides to them, have people make it. */
export interface Layout {
  name: string
  table: string
  create: string
  rows: Columns[]
  /** Names of columns that are not those of today. */
  names?: Record<string, string>
}

const text = (...names: string[]) => names.map((name) => `${name} varchar(255)`).join(', ')
const ROWS = [ANN, ONEIL, ZOE]

export const LAYOUTS: Layout[] = [
  {
    name: "today's",
    table: 'oauthtoken',
    create: `id varchar(10) not null primary key, ${text('user_name', 'client_id', 'client_secret', 'refresh_token', 'access_token', 'grant_token')}, expiry_time varchar(20), ${text('redirect_url', 'api_domain')}`,
    rows: ROWS,
  },
  {
    name: 'that of older SDKs, with user_mail, a number as id and no api_domain',
    table: 'oauthtoken',
    create: `id integer not null primary key, ${text('user_mail', 'client_id', 'client_secret', 'refresh_token', 'access_token', 'grant_token')}, expiry_time varchar(20), ${text('redirect_url')}`,
    rows: ROWS.map((row) => lacking(row, 'api_domain')),
    names: { user_name: 'user_mail' },
  },
  {
    name: 'that of the oldest, without a client secret either, and the expiry a number',
    table: 'oauthtoken',
    create: `id integer not null primary key, ${text('user_mail', 'client_id', 'refresh_token', 'access_token', 'grant_token')}, expiry_time bigint`,
    rows: ROWS.map((row) => lacking(row, 'api_domain', 'client_secret', 'redirect_url')),
    names: { user_name: 'user_mail' },
  },
  {
    name: 'one in a table called oauthtokens',
    table: 'oauthtokens',
    create: `id varchar(10), ${text('USER_NAME', 'client_id', 'client_secret', 'refresh_token', 'access_token', 'grant_token', 'expiry_time', 'redirect_uri', 'api_domain', 'more')}`,
    rows: ROWS,
    names: { redirect_url: 'redirect_uri' },
  },
]

/** The statements that make the table and fill it; values are bound. */
export function statementsOf({
  table,
  create,
  rows,
  names = {},
}: Layout): { sql: string; values: string[] }[] {
  const inserts = rows.map((row) => {
    const columns = Object.keys(row).map((column) => names[column] ?? column)
    const marks = columns.map(() => '?').join(', ')
    return {
      sql: `insert into ${table} (${columns.join(', ')}) values (${marks})`,
      values: Object.values(row),
    }
  })
  return [{ sql: `create table ${table} (${create})`, values: [] }, ...inserts]
}

import type { Column, Columns, SourceRow, TokenSource } from '../../src/import/token-source.ts'
import { COLUMNS } from '../../src/import/token-source.ts'

/** How an SDK of one language writes its token file. */
export interface Dialect {
  language: string
  newline: '\n' | '\r\n'
  endsLastLine: boolean
  quotes: boolean
  /** What it calls some columns. */
  names?: Partial<Record<Column, string>>
}

export const DIALECTS: Dialect[] = [
  {
    language: 'Python',
    newline: '\r\n',
    endsLastLine: true,
    quotes: true,
    names: { redirect_url: 'redirect_uri' },
  },
  {
    language: 'TypeScript',
    newline: '\n',
    endsLastLine: false,
    quotes: false,
    names: { user_name: 'user_mail' },
  },
  { language: 'Node.js', newline: '\n', endsLastLine: false, quotes: false },
  { language: 'Java', newline: '\n', endsLastLine: true, quotes: true },
  { language: 'Java on Windows', newline: '\r\n', endsLastLine: true, quotes: true },
  { language: 'PHP', newline: '\n', endsLastLine: false, quotes: false },
  { language: 'C#', newline: '\n', endsLastLine: true, quotes: false },
  { language: 'C# on Windows', newline: '\r\n', endsLastLine: true, quotes: false },
]

/** The text of a file with these rows. */
export function written(
  { newline, endsLastLine, quotes, names = {} }: Dialect,
  rows: Columns[],
  width: number = COLUMNS.length,
) {
  const columns = COLUMNS.slice(0, width)
  const field = (value: string) =>
    quotes && /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
  const lines = rows.map((row) => columns.map((column) => field(row[column] ?? '')).join(','))
  const header = columns.map((column) => names[column] ?? column).join(',')
  return [header, ...lines].join(newline) + (endsLastLine ? newline : '')
}

export async function rowsOf(source: TokenSource): Promise<SourceRow[]> {
  try {
    const rows: SourceRow[] = []
    for await (const row of source.rows) rows.push(row)
    return rows
  } finally {
    source.close()
  }
}

/** The row without these columns, as older SDKs wrote it. */
export function lacking(row: Columns, ...columns: Column[]): Columns {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name as Column)))
}

export const ANN: Columns = {
  id: '1',
  user_name: 'ann@example.com:1001',
  client_id: '1000.CLIENT',
  client_secret: 'fake-secret',
  refresh_token: '1000.refresh-ann',
  access_token: '1000.access-ann',
  expiry_time: '1893456000000',
  redirect_url: 'https://app.example/cb',
  api_domain: 'https://www.zohoapis.eu',
}

export const ONEIL: Columns = {
  id: '2',
  user_name: "o'neil@example.com:1002",
  client_id: '1000.CLIENT',
  client_secret: 'fake-secret',
  refresh_token: '1000.refresh-oneil',
  access_token: '1000.access-oneil',
  grant_token: '1000.grant-oneil',
  expiry_time: '1893456000000',
  redirect_url: 'https://app.example/cb?a=1,2&q="x"',
  api_domain: 'https://www.zohoapis.eu',
}

export const ZOE: Columns = {
  id: '3',
  user_name: 'zoë@exämple.com:1003',
  client_id: '1000.CLIENT',
  client_secret: 'fake-secret',
  refresh_token: '1000.refresh-zoe',
}

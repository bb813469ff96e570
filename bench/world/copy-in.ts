import { once } from 'node:events'
import pg from 'pg'

export type Row = Record<string, unknown>

interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** A query whose rows come from here; pg leaves that to others. */
class CopyQuery extends pg.Query {
  readonly #rows: Buffer

  constructor(text: string, rows: Buffer) {
    super(text)
    this.#rows = rows
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(this.#rows)
    connection.endCopyFrom()
  }
}

/** Inserts rows of one shape by COPY, the cheapest way in. Columns that they do not name get their defaults. */
export async function copyIn(client: pg.ClientBase, table: string, rows: Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).map(snakeCase)
  const lines = rows.map((row) => Object.values(row).map(cell).join('\t'))
  const text = Buffer.from(`${lines.join('\n')}\n`)
  await once(client.query(new CopyQuery(`copy ${table} (${columns.join(', ')}) from stdin`, text)), 'end')
}

const snakeCase = (column: string) => column.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The text format of COPY, where a backslash stands for itself twice. */
function cell(value: unknown): string {
  if (value === null) return '\\N'
  if (Buffer.isBuffer(value)) return `\\\\x${value.toString('hex')}`
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return `{${value.map(cell).join(',')}}`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The columns of a Zoho SDK's token store, in the order of its file. */
export const COLUMNS = [
  'id',
  'user_name',
  'client_id',
  'client_secret',
  'refresh_token',
  'access_token',
  'grant_token',
  'expiry_time',
  'redirect_url',
  'api_domain',
] as const

export type Column = (typeof COLUMNS)[number]

/** One row as the store has it: empty columns are absent. */
export type Columns = Partial<Record<Column, string>>

/** A row to import, or what makes it unreadable. */
export interface SourceRow {
  /** Where a person finds it, such as `line 17`. */
  place: string
  columns: Columns
  /** Null where it can be read. */
  fault: string | null
}

/** A token store of an SDK, read once from its beginning to its end. */
export interface TokenSource {
  /** As a report calls it. */
  name: string
  /** How many rows there are, about. */
  count: number
  /** Rejects with a StartupError where the rest cannot be read. */
  rows: AsyncIterable<SourceRow>
  /** At any time: rows that were not taken are not read. */
  close(): void
}

/** Where a sealed value stands. It is bound to its place: moved to another one it does not open. */
export interface Place {
  table: string
  rowId: string
  field: string
}

/** A sealed value that does not open. All causes look the same from outside. */
export class UnreadableError extends Error {
  readonly namespaceId: string
  readonly keyId: number
  readonly place: Place

  constructor(namespaceId: string, keyId: number, place: Place) {
    const { table, rowId, field } = place
    super(
      `a sealed value does not open: namespace ${namespaceId}, key ${keyId}, ${table} ${rowId} ${field}: restore the row from a backup, or delete it`,
    )
    this.name = 'UnreadableError'
    this.namespaceId = namespaceId
    this.keyId = keyId
    this.place = place
  }
}

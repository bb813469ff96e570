import type { SaveRequest } from '../domain/save.ts'
import { sha256 } from '../domain/sha256.ts'
import { userKeyOf } from '../domain/token.ts'

/** Remembers of which token a row was, at some 150 bytes a token, so that a duplicate can name its twin. */
export interface SeenRows {
  /** The first row with one of these marks: `row` where none was before it. */
  meet(marks: string[], row: () => SeenRow): SeenRow
}

interface SeenRow {
  place: string
  /** Of its token; null where it is not known yet. */
  id: string | null
}

export function createSeenRows(): SeenRows {
  const rows = new Map<string, SeenRow>()
  return {
    meet(marks, row) {
      const first = marks.map((mark) => rows.get(mark)).find((found) => found !== undefined) ?? row()
      for (const mark of marks) rows.set(mark, first)
      return first
    },
  }
}

/** Marks of a token that is not stored, and has no id yet: two rows that share one would become one token. */
export function marksOf({
  userName,
  clientId,
  grantToken,
  refreshToken,
  accessToken,
}: SaveRequest): string[] {
  const tokens = [grantToken, refreshToken, accessToken].map((token) => token?.reveal() ?? null)
  return [userName === null ? null : userKeyOf(userName), ...tokens].flatMap((value, kind) =>
    value === null ? [] : [digestOf(JSON.stringify([kind, clientId, value]))],
  )
}

/** 16 bytes, one a character. */
function digestOf(text: string): string {
  return sha256(text).toString('latin1', 0, 16)
}

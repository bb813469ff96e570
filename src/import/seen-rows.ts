import type { SaveRequest } from '../domain/save.ts'
import { sha256 } from '../domain/sha256.ts'
import { userKeyOf } from '../domain/token.ts'

/** Remembers of which token a row was, at some 100 bytes a token, so that a duplicate can name its twin. */
export interface SeenRows {
  /** The place of an earlier row with one of these marks; null where there was none. */
  meet(marks: string[], place: string): string | null
}

export function createSeenRows(): SeenRows {
  const places = new Map<string, string>()
  return {
    meet(marks, place) {
      const twin = marks.map((mark) => places.get(mark)).find((found) => found !== undefined)
      for (const mark of marks) places.set(mark, twin ?? place)
      return twin ?? null
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

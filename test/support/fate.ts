import { VaultError } from '../../src/domain/errors.ts'
import { matchSave } from '../../src/domain/save.ts'
import type { SaveWords, TokenWords } from './domain.ts'
import { candidatesOf, saveOf } from './domain.ts'

/** What a save does to the stored tokens, in a word: `new`, an id, `id+absorbed` or `code:id,id`. */
export function fate(save: SaveWords, stored: TokenWords[]): string {
  const request = saveOf(save)
  try {
    const match = matchSave(request, candidatesOf(request, stored))
    if (match === null) return 'new'
    return [match.candidate, match.absorbed].flatMap((found) => found?.token.id ?? []).join('+')
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    const { tokenId, matches = [] } = error.facts
    return `${error.code}:${tokenId ?? matches.join(',')}`
  }
}

/** A sentence about a save, the save, what is stored, and what the save does to it. */
export type FateCase = [sentence: string, save: SaveWords, stored: TokenWords[], fate: string]

import type { Row } from '../rounds.ts'

/** What was asked for, and what came of it. */
export interface Verdict {
  what: string
  figure: string
  target: string
  isMet: boolean
}

/** What a case has found out. */
export interface CaseResult {
  title: string
  rows: Row[]
  verdicts: Verdict[]
  /** What a reader has to know to understand the figures. */
  notes: string[]
  /** What is no comparison: headings, and lines of cells. */
  extra?: string[][]
}

export const atLeast = (what: string, figure: number, target: number, unit: string): Verdict => ({
  what,
  figure: `${short(figure)}${unit}`,
  target: `≥ ${short(target)}${unit}`,
  isMet: figure >= target,
})

export const atMost = (what: string, figure: number, target: number, unit: string): Verdict => ({
  what,
  figure: `${short(figure)}${unit}`,
  target: `≤ ${short(target)}${unit}`,
  isMet: figure <= target,
})

/** Three digits that say something, and the thousands apart. */
export function short(figure: number): string {
  return figure.toLocaleString('en', { maximumSignificantDigits: 3 })
}

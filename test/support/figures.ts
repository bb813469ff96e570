/** The figure that this part of all of them does not exceed; NaN where there are none. */
export function figureAt(figures: number[], part: number): number {
  const sorted = figures.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
}

/** The same with a decimal at most; `none` where there are none. */
export function partOf(figures: number[], part: number): string {
  const figure = figureAt(figures, part)
  return Number.isNaN(figure) ? 'none' : String(Math.round(figure * 10) / 10)
}

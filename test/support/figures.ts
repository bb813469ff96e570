/** The figure that this part of all of them does not exceed, with a decimal at most; `none` where there are none. */
export function partOf(figures: number[], part: number): string {
  const sorted = figures.toSorted((one, other) => one - other)
  const figure = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
  return figure === undefined ? 'none' : String(Math.round(figure * 10) / 10)
}

export const after = (at: Date, seconds: number) => new Date(at.getTime() + seconds * 1000)
export const secondsBetween = (from: Date, to: Date) => (to.getTime() - from.getTime()) / 1000
export const later = (one: Date, other: Date) => (one > other ? one : other)

/** For whoever is told to come again: a second at least, and never too early. */
export const wholeSeconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))

/** A provider that asks for more is asked again after a day all the same. */
const LONGEST_SECONDS = 86_400

/** Seconds that a Retry-After header asks to wait, given as a number or as a date; null where it asks nothing. */
export function retryAfterSeconds(header: string | null, now: Date): number | null {
  const seconds = header === null ? NaN : secondsOf(header.trim(), now)
  return seconds > 0 ? Math.min(Math.ceil(seconds), LONGEST_SECONDS) : null
}

function secondsOf(header: string, now: Date): number {
  if (/^\d+$/.test(header)) return Number(header)
  return header.endsWith(' GMT') ? (Date.parse(header) - now.getTime()) / 1000 : NaN
}

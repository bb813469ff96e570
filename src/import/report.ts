/** What became of a row. */
type Verdict = 'imported' | 'merged' | 'unchanged' | 'duplicate' | 'empty' | 'skipped'

/** Rows with one of these are shown one by one. */
type NamedVerdict = 'skipped' | 'duplicate'

/** What a person should know of a row that was imported all the same. */
type Remark =
  'expiry in seconds' | 'expiry unreadable' | 'another id' | 'no client secret' | 'no refresh token'

export type Counts = Record<Verdict, number>

export interface Report {
  count(verdict: Exclude<Verdict, NamedVerdict>): void
  /** Counts it, and keeps the place for the reader. */
  name(verdict: NamedVerdict, place: string, detail: string): void
  remark(remark: Remark): void
  /** Remarks on it, and keeps the place and the ids for the reader. */
  rename(place: string, former: string, id: string | null): void
  readonly counts: Counts
  /** For a person to read; no secret is among it. */
  lines(from: string, into: string, dryRun: boolean): string[]
}

/** Rows that are named for each verdict: who has more to mend finds the rest by running the import again. */
const MOST_NAMED = 50

const MEANINGS: Record<Verdict, string> = {
  imported: 'imported',
  merged: 'merged into tokens that the vault had',
  unchanged: 'unchanged: the vault had all of it, or newer',
  duplicate: 'of the same token as another row: what expires last is kept',
  empty: 'without any token: nothing to import',
  skipped: 'skipped, see below',
}

const REMARKS: Record<Remark, string> = {
  'expiry in seconds': 'had an expiry in seconds: converted to milliseconds',
  'expiry unreadable': 'had an expiry that is no time: stored as unknown',
  'no client secret': 'without a client secret: cannot be renewed, see --client-secret',
  'no refresh token': 'without a refresh token: cannot be renewed',
  'another id': 'of a token with another id: theirs is that of another token in the vault, or not allowed',
}

export function createReport(): Report {
  const counts: Counts = { imported: 0, merged: 0, unchanged: 0, duplicate: 0, empty: 0, skipped: 0 }
  const remarks: Record<Remark, number> = {
    'expiry in seconds': 0,
    'expiry unreadable': 0,
    'no client secret': 0,
    'no refresh token': 0,
    'another id': 0,
  }
  const named: Record<NamedVerdict, string[]> = { skipped: [], duplicate: [] }
  const renamed: string[] = []
  return {
    counts,
    count(verdict) {
      counts[verdict] += 1
    },
    name(verdict, place, detail) {
      counts[verdict] += 1
      if (counts[verdict] <= MOST_NAMED) named[verdict].push(`${place}: ${detail}`)
    },
    remark(remark) {
      remarks[remark] += 1
    },
    rename(place, former, id) {
      remarks['another id'] += 1
      if (renamed.length < MOST_NAMED) {
        renamed.push(
          `${place}: id ${former} cannot be kept; ${id === null ? 'a new one is made' : `now ${id}`}`,
        )
      }
    },
    lines(from, into, dryRun) {
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
      const rows = `${number(total)} row${total === 1 ? '' : 's'}`
      return [
        dryRun
          ? `Dry run, no token was saved. What ${rows} of ${from} would become in namespace ${into}:`
          : `Import: ${rows} of ${from} into namespace ${into}`,
        ...tableOf(counts, MEANINGS),
        ...tableOf(remarks, REMARKS),
        ...listed(renamed, remarks['another id']),
        ...(['skipped', 'duplicate'] as const).flatMap((verdict) => listed(named[verdict], counts[verdict])),
      ]
    },
  }
}

const WIDTH = 12

function tableOf<Name extends string>(
  counts: Record<Name, number>,
  meanings: Record<Name, string>,
): string[] {
  const rows = Object.entries(counts) as [Name, number][]
  return rows
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${number(count).padStart(WIDTH)} ${meanings[name]}`)
}

function listed(lines: string[], count: number): string[] {
  return count > lines.length ? [...lines, `and ${number(count - lines.length)} more`] : lines
}

const number = (count: number) => count.toLocaleString('en')

import { parseArgs } from 'node:util'

/** How much is measured, and how long. */
export interface Options {
  quick: boolean
  help: boolean
  /** Compares with ten million tokens. */
  flat: boolean
  /** Writes what came of it into docs/. */
  write: boolean
  tokens: number
  /** Names of cases; all of them where empty. */
  cases: string[]
  /** Rounds of each contender, by turns. */
  rounds: number
  secondsPerRound: number
}

export const USAGE = `npm run bench -- [options] [case ...]

  --quick          the most telling cases on few tokens, in under 2 minutes
  --flat           how it goes with ten million tokens; takes a quarter of an hour
  --tokens N       in place of a million, 20,000 with --quick
  --write          write the table and the chart into docs/

Cases: `

const THOROUGH = { tokens: 1_000_000, rounds: 5, secondsPerRound: 3 }
const QUICK = { tokens: 20_000, rounds: 3, secondsPerRound: 1 }
/** Two sides whose difference is small: more rounds, since neighbouring ones differ by a tenth and more. */
const FLAT = { tokens: 10_000_000, rounds: 11, secondsPerRound: 3 }

export function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quick: { type: 'boolean', default: false },
      flat: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      tokens: { type: 'string' },
    },
  })
  const { help, quick, flat, write } = values
  const usual = quick ? QUICK : flat ? FLAT : THOROUGH
  const tokens = Number(values.tokens ?? usual.tokens)
  return { ...usual, help, quick, flat, write, tokens, cases: positionals }
}

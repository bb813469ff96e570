import { parseArgs } from 'node:util'
import { StartupError } from '../domain/errors.ts'

export const USAGE = `token-vault [command]

  serve                        serve (the default)
    --ephemeral                on an embedded Postgres that is gone afterwards
  migrate                      bring the schema of the database up to date
  doctor                       try each part that a start needs, and say what to do
  namespaces create NAME       also: list, delete NAME (with all that is in it)
  keys create                  print a new API key, alone on its line
    --namespace NAME           the namespace, "default" by default
    --name TEXT                what it is for
    --scopes A,B               tokens:list, tokens:use, tokens:read, tokens:write, tokens:delete, admin
    --expires-at TIME|never    in 90 days by default
  keys list, keys revoke ID    in --namespace NAME
  import zoho-file FILE        tokens that a Zoho SDK kept in a file; exit code 1 where rows were skipped
  import zoho-mysql URL        in MySQL or MariaDB: mysql://user:password@host/database, or MYSQL_URL
  import zoho-sqlite FILE      in SQLite
    --namespace NAME           where to, "default" by default
    --table NAME               from where in a database, oauthtoken or oauthtokens by default
    --client-id ID, --client-secret SECRET, --api-domain ORIGIN
                               for rows of older layouts, which lack them
    --dry-run                  tell what would become of each row, and save no token
  rotate-keys                  wrap all data keys under the first master key, while the service serves
    --data-keys                and seal all tokens anew, under new data keys
    --anew                     the same, without continuing a run that was cut off
  audit verify FILE...         is the audit log as it was written? exit code 1 where it is not
  audit fingerprint            of a secret on standard input, as the lines that disclosed it have it
  --version                    print the version

Settings are environment variables: see docs/settings.md.`

const OPTIONS = {
  ephemeral: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
  namespace: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  'expires-at': { type: 'string' },
  'data-keys': { type: 'boolean', default: false },
  anew: { type: 'boolean', default: false },
  table: { type: 'string' },
  'client-id': { type: 'string' },
  'client-secret': { type: 'string' },
  'api-domain': { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const

type Option = keyof typeof OPTIONS

const OF_IMPORT: Option[] = ['namespace', 'client-id', 'client-secret', 'api-domain', 'dry-run']

/**
 * How many words may follow a command, its action among them, and its options. What is not here does nothing: whoever
 * would carry it out says what there is. `audit` judges its words itself, and repeats none: one may be a secret.
 */
const TAKEN = new Map<string, [words: number, ...options: Option[]]>([
  ['serve', [0, 'ephemeral']],
  ['migrate', [0]],
  ['doctor', [0]],
  ['namespaces create', [2]],
  ['namespaces list', [1]],
  ['namespaces delete', [2]],
  ['keys create', [1, 'namespace', 'name', 'scopes', 'expires-at']],
  ['keys list', [1, 'namespace']],
  ['keys revoke', [2, 'namespace']],
  ['import zoho-file', [2, ...OF_IMPORT]],
  ['import zoho-mysql', [2, ...OF_IMPORT, 'table']],
  ['import zoho-sqlite', [2, ...OF_IMPORT, 'table']],
  ['rotate-keys', [0, 'data-keys', 'anew']],
  ['audit', [Infinity]],
])

/** @throws StartupError with the usage */
export function readArguments(args: string[]) {
  try {
    refuseSurplus(args)
    const { positionals, values } = parseArgs({ args, allowPositionals: true, options: OPTIONS })
    const [command = 'serve', action, subject, ...more] = positionals
    const {
      help,
      version,
      'expires-at': expiresAt,
      'data-keys': dataKeys,
      'client-id': clientId,
      'client-secret': clientSecret,
      'api-domain': apiDomain,
      'dry-run': dryRun,
      ...plain
    } = values
    const renamed = { expiresAt, dataKeys, clientId, clientSecret, apiDomain, dryRun }
    return { command, help, version, words: { ...plain, ...renamed, action, subject, more } }
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.\n\n${USAGE}`)
  }
}

/**
 * An option that a command ignored may have been meant to keep it from destroying something, as `--dry-run` is; of one
 * that is given twice the first value would be.
 */
function refuseSurplus(args: string[]): void {
  const { positionals, values, tokens } = parseArgs({
    args,
    allowPositionals: true,
    options: OPTIONS,
    strict: false,
    tokens: true,
  })
  const [command = 'serve', ...words] = positionals
  const name = TAKEN.has(command) ? command : positionals.slice(0, 2).join(' ')
  const taken = TAKEN.get(name)
  if (taken === undefined || values.help === true || values.version === true) return
  const [most, ...options] = taken
  const known: string[] = options
  const given = tokens.filter((token) => token.kind === 'option')
  const unknown = given.filter((option) => !known.includes(option.name)).map(({ rawName }) => rawName)
  // A word beside an unknown option may be its value, and that a secret.
  const surplus = unknown.length > 0 ? unknown : words.slice(most).map((word) => `'${word}'`)
  if (surplus.length > 0) throw new Error(`${name} takes no ${surplus.join(' and no ')}`)
  const again = given.find((option, index) => given.slice(0, index).some(({ name }) => name === option.name))
  if (again !== undefined) throw new Error(`${name} takes ${again.rawName} once`)
}

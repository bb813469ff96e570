import { parseArgs } from 'node:util'
import { StartupError } from './domain/errors.ts'

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
    --table NAME               from where, oauthtoken or oauthtokens by default
    --client-id ID, --client-secret SECRET, --api-domain ORIGIN
                               for rows of older layouts, which lack them
    --dry-run                  tell what would become of each row, and write nothing
  rotate-keys                  wrap all data keys under the first master key, while the service serves
    --data-keys                and seal all tokens anew, under new data keys
  audit verify FILE...         is the audit log as it was written? exit code 1 where it is not
  audit fingerprint            of a secret on standard input, as the lines that disclosed it have it

Settings are environment variables: see docs/settings.md.`

const OPTIONS = {
  ephemeral: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  namespace: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  'expires-at': { type: 'string' },
  'data-keys': { type: 'boolean', default: false },
  table: { type: 'string' },
  'client-id': { type: 'string' },
  'client-secret': { type: 'string' },
  'api-domain': { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const

/** How many words follow a command; none where it is not here. */
const WORDS_TAKEN: Record<string, number> = { namespaces: 2, keys: 2, import: 2, audit: Infinity }

/** @throws StartupError with the usage */
export function readArguments() {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: OPTIONS })
    const [command = 'serve', ...given] = positionals
    const [action, subject, ...more] = given
    const surplus = given.slice(WORDS_TAKEN[command] ?? 0)
    if (surplus.length > 0) throw new Error(`Unexpected argument '${surplus.join(' ')}'`)
    return {
      command,
      help: values.help,
      words: {
        ...values,
        action,
        subject,
        more,
        expiresAt: values['expires-at'],
        clientId: values['client-id'],
        clientSecret: values['client-secret'],
        apiDomain: values['api-domain'],
        dryRun: values['dry-run'],
      },
    }
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.\n\n${USAGE}`)
  }
}

import { StartupError } from '../domain/errors.ts'
import type { MasterKey } from '../domain/keyring.ts'
import { Secret } from '../domain/secret.ts'
import { COMMAND_LINE, REFRESHER } from '../domain/token.ts'
import {
  MASTER_KEYS_WORDS,
  parseApiKey,
  parseDatabaseUrls,
  parseMasterKeys,
  parseMysqlUrl,
} from './formats.ts'
import type { Environment, Form, Settings } from './settings.ts'
import { createSettings } from './settings.ts'
import type { Tls } from './tls.ts'
import { readTls } from './tls.ts'

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The settings of the service; docs/settings.md explains each. */
export interface Config {
  host: string
  port: number
  /** One for each host; null: an embedded Postgres. */
  databaseUrls: string[] | null
  dataDir: string
  /** Null only with an embedded Postgres, which keeps generated ones. */
  masterKeys: MasterKey[] | null
  bootstrapKey: Secret | null
  /** The parsed providers file. */
  providers: unknown
  refreshMarginSeconds: number
  refreshConcurrency: number
  refresher: boolean
  /** For so long events are kept. */
  eventsDays: number
  /** Where the audit log is kept; null: standard output. */
  auditLog: string | null
  /** Requests a second of one key; null: without a limit. */
  rateLimit: number | null
  /** Distinct tokens that one key may see the secrets of within an hour; null: without a limit. */
  disclosureBudget: number | null
  /** Serves the metrics on a port of their own; null: on `port`. */
  metricsPort: number | null
  tls: Tls | null
  /** From where `import zoho-mysql` reads, unless it is told. */
  mysqlUrl: Secret | null
  logLevel: (typeof LOG_LEVELS)[number]
}

const SECRET_NAMES = ['DATABASE_URL', 'TOKEN_VAULT_MASTER_KEYS', 'TOKEN_VAULT_BOOTSTRAP_KEY', 'MYSQL_URL']
const MASTER_KEYS_EXAMPLE = 'k1:<32 random bytes in base64, as "openssl rand -base64 32" prints them>'
const MASTER_KEYS: Form = [MASTER_KEYS_WORDS, MASTER_KEYS_EXAMPLE]
const DATABASE_URL: Form = [
  'a postgres:// URL, what is special in its user and password percent-encoded',
  'postgres://user:password@host:5432/token_vault',
]
/** Those of libpq, and one of pg. */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']
const API_KEY: Form = [
  `an API key whose id is neither ${COMMAND_LINE} nor ${REFRESHER}`,
  'tv_bootstrap_<43 characters of A-Z a-z 0-9 _ ->',
]
const MYSQL_URL: Form = [
  'a mysql:// URL that names a database',
  'mysql://root:password@localhost:3306/zohooauth',
]
const DAY_SECONDS = 86_400
const LIMIT = { least: 1, most: 1_000_000 }
const PORT = { least: 0, most: 65_535 }

/** @throws StartupError with a line for each variable that is wrong */
export function readConfig(env: Environment = process.env): Config {
  const settings = createSettings(env, SECRET_NAMES)
  const databaseUrls = readDatabaseUrls(settings)
  const masterKeys = settings.parsed('TOKEN_VAULT_MASTER_KEYS', parseMasterKeys, MASTER_KEYS)
  if (databaseUrls !== null && masterKeys === null) {
    settings.missing('TOKEN_VAULT_MASTER_KEYS', 'is needed with DATABASE_URL', MASTER_KEYS_EXAMPLE)
  }
  const config: Config = {
    host: settings.text('HOST') ?? '127.0.0.1',
    port: settings.integer('PORT', { ...PORT, example: 8080 }) ?? 8080,
    databaseUrls,
    dataDir: settings.text('TOKEN_VAULT_DATA_DIR') ?? '.token-vault',
    masterKeys,
    bootstrapKey: settings.parsed('TOKEN_VAULT_BOOTSTRAP_KEY', parseApiKey, API_KEY),
    providers: readProviders(settings),
    refreshMarginSeconds:
      settings.integer('TOKEN_VAULT_REFRESH_MARGIN', { least: 1, most: DAY_SECONDS, example: 600 }) ?? 600,
    refreshConcurrency:
      settings.integer('TOKEN_VAULT_REFRESH_CONCURRENCY', { least: 1, most: 10_000, example: 32 }) ?? 32,
    refresher: settings.choice('TOKEN_VAULT_REFRESHER', ['on', 'off'], 'on') === 'on',
    eventsDays: settings.integer('TOKEN_VAULT_EVENTS_DAYS', { least: 1, most: 36_500, example: 90 }) ?? 90,
    auditLog: settings.text('TOKEN_VAULT_AUDIT_LOG'),
    rateLimit: settings.integer('TOKEN_VAULT_RATE_LIMIT', { ...LIMIT, example: 50 }),
    disclosureBudget: settings.integer('TOKEN_VAULT_DISCLOSURE_BUDGET', { ...LIMIT, example: 1_000 }),
    metricsPort: settings.integer('TOKEN_VAULT_METRICS_PORT', { ...PORT, example: 9464 }),
    tls: readTls(settings),
    mysqlUrl: settings.parsed('MYSQL_URL', parseMysqlUrl, MYSQL_URL),
    logLevel: settings.choice('LOG_LEVEL', LOG_LEVELS, 'info'),
  }
  // Behind all that is asked for: what begins like a setting and is none was misspelt.
  const unknown = settings
    .unasked('TOKEN_VAULT_')
    .map(
      (name) =>
        `${name}: is no setting of this version: remove it, or mend its name as docs/settings.md has it`,
    )
  const faults = [...settings.faults, ...unknown]
  if (faults.length > 0) throw new StartupError(...faults)
  return config
}

/** pg takes a mode that it does not know for one of TLS, and then nothing says why there is no connection. */
function readDatabaseUrls(settings: Settings): string[] | null {
  const urls = settings.parsed('DATABASE_URL', parseDatabaseUrls, DATABASE_URL)
  const modes = (urls ?? []).flatMap((url) => new URL(url).searchParams.getAll('sslmode'))
  if (modes.every((mode) => SSL_MODES.includes(mode))) return urls
  const example = `${DATABASE_URL[1]}?sslmode=verify-full`
  settings.fault('DATABASE_URL', `its sslmode must be one of ${SSL_MODES.join(', ')}`, example)
  return null
}

function readProviders(settings: Settings): unknown {
  const name = 'TOKEN_VAULT_PROVIDERS_FILE'
  const example = '/etc/token-vault/providers.json'
  const text = settings.file(name, example)
  if (text === null) return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    settings.fault(name, 'the file is not JSON', example)
    return null
  }
}

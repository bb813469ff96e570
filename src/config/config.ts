import { StartupError } from '../domain/errors.ts'
import { Secret } from '../domain/secret.ts'
import { parseApiKey, parseDatabaseUrls, parseMasterKeys } from './formats.ts'
import type { MasterKey } from './formats.ts'
import type { Environment, Settings } from './settings.ts'
import { createSettings } from './settings.ts'

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
  tls: { cert: string; key: string; clientCa: string | null } | null
  logLevel: string
}

const SECRET_NAMES = ['DATABASE_URL', 'TOKEN_VAULT_MASTER_KEYS', 'TOKEN_VAULT_BOOTSTRAP_KEY']
const OWN_NAMES = [
  'TOKEN_VAULT_DATA_DIR',
  'TOKEN_VAULT_MASTER_KEYS',
  'TOKEN_VAULT_MASTER_KEYS_FILE',
  'TOKEN_VAULT_BOOTSTRAP_KEY',
  'TOKEN_VAULT_BOOTSTRAP_KEY_FILE',
  'TOKEN_VAULT_PROVIDERS_FILE',
  'TOKEN_VAULT_REFRESH_MARGIN',
  'TOKEN_VAULT_REFRESH_CONCURRENCY',
  'TOKEN_VAULT_REFRESHER',
  'TOKEN_VAULT_TLS_CERT',
  'TOKEN_VAULT_TLS_KEY',
  'TOKEN_VAULT_TLS_CLIENT_CA',
]
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const MASTER_KEYS_EXAMPLE = 'k1:<32 random bytes in base64, as "openssl rand -base64 32" prints them>'
const API_KEY_EXAMPLE = 'tv_bootstrap_<43 characters of A-Z a-z 0-9 _ ->'
const DAY_SECONDS = 86_400

/** @throws StartupError with a line for each variable that is wrong */
export function readConfig(env: Environment = process.env): Config {
  const settings = createSettings(env, SECRET_NAMES)
  const databaseUrls = settings.parsed(
    'DATABASE_URL',
    parseDatabaseUrls,
    'postgres://user:password@host:5432/token_vault',
  )
  const masterKeys = settings.parsed('TOKEN_VAULT_MASTER_KEYS', parseMasterKeys, MASTER_KEYS_EXAMPLE)
  if (databaseUrls !== null && settings.text('TOKEN_VAULT_MASTER_KEYS') === null) {
    settings.fault('TOKEN_VAULT_MASTER_KEYS', 'is needed with DATABASE_URL', MASTER_KEYS_EXAMPLE)
  }
  const config: Config = {
    host: settings.text('HOST') ?? '127.0.0.1',
    port: settings.integer('PORT', { least: 0, most: 65_535, fallback: 8080 }),
    databaseUrls,
    dataDir: settings.text('TOKEN_VAULT_DATA_DIR') ?? '.token-vault',
    masterKeys,
    bootstrapKey: settings.parsed('TOKEN_VAULT_BOOTSTRAP_KEY', parseApiKey, API_KEY_EXAMPLE),
    providers: readProviders(settings),
    refreshMarginSeconds: settings.integer('TOKEN_VAULT_REFRESH_MARGIN', {
      least: 1,
      most: DAY_SECONDS,
      fallback: 600,
    }),
    refreshConcurrency: settings.integer('TOKEN_VAULT_REFRESH_CONCURRENCY', {
      least: 1,
      most: 10_000,
      fallback: 32,
    }),
    refresher: settings.choice('TOKEN_VAULT_REFRESHER', ['on', 'off'], 'on') === 'on',
    tls: readTls(settings),
    logLevel: settings.choice('LOG_LEVEL', LOG_LEVELS, 'info'),
  }
  for (const name of unknownNames(env))
    settings.fault(name, 'is no setting of this version', 'nothing: remove it')
  if (settings.faults.length > 0) throw new StartupError(...settings.faults)
  return config
}

function unknownNames(env: Environment): string[] {
  return Object.keys(env).filter((name) => name.startsWith('TOKEN_VAULT_') && !OWN_NAMES.includes(name))
}

function readProviders(settings: Settings): unknown {
  const name = 'TOKEN_VAULT_PROVIDERS_FILE'
  const text = settings.file(name)
  if (text === null) return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    settings.fault(name, 'the file is not JSON', '/etc/token-vault/providers.json')
    return null
  }
}

function readTls(settings: Settings): Config['tls'] {
  const cert = settings.file('TOKEN_VAULT_TLS_CERT')
  const key = settings.file('TOKEN_VAULT_TLS_KEY')
  const clientCa = settings.file('TOKEN_VAULT_TLS_CLIENT_CA')
  if (cert !== null && key !== null) return { cert, key, clientCa }
  const given = [cert, key, clientCa].some((pem) => pem !== null)
  if (given && cert === null)
    settings.fault('TOKEN_VAULT_TLS_CERT', 'is needed with the other TLS settings', '/tls/tls.crt')
  if (given && key === null)
    settings.fault('TOKEN_VAULT_TLS_KEY', 'is needed with the other TLS settings', '/tls/tls.key')
  return null
}

#!/usr/bin/env node
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Logger } from 'pino'
import { commandAudit } from './audit-command.ts'
import { commandKeys, commandNamespaces } from './commands.ts'
import type { AuditEntry } from './domain/audit.ts'
import type { Config } from './config/config.ts'
import { readConfig } from './config/config.ts'
import { examine } from './doctor.ts'
import { StartupError, VaultError } from './domain/errors.ts'
import { COMMAND_LINE } from './domain/token.ts'
import { greeting } from './greeting.ts'
import { prepareSchema, serve } from './main.ts'
import { recordCommand } from './open-audit.ts'
import { rotateKeys } from './rotate-keys.ts'
import { stopSignal } from './signals.ts'
import { migrate } from './store/migrate.ts'
import { createLogger } from './telemetry/logger.ts'
import { withDatabase } from './with-database.ts'

const USAGE = `token-vault [command]

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
} as const

/** Renewals that the storage does not take by then are lost: the log has said so. */
const MOST_STOPPING_MS = 55_000

async function run(): Promise<void> {
  const { command, words, help } = readArguments()
  if (help) {
    console.log(USAGE)
    return
  }
  const config = readConfig()
  const log = createLogger(config.logLevel)
  switch (command) {
    case 'serve':
      return runService(config, log, words.ephemeral)
    case 'migrate':
      return withDatabase(config, log, async ({ db }) => {
        const done = await migrate(db)
        console.log(done.length === 0 ? 'The schema is up to date.' : `Migrated: ${done.join(', ')}.`)
      })
    case 'doctor':
      return examine(config, log, console.log)
    case 'namespaces':
    case 'keys':
      return withDatabase(config, log, async (database, backing) => {
        await prepareSchema(database, backing)
        const carryOut = command === 'keys' ? commandKeys : commandNamespaces
        const record = (entries: readonly AuditEntry[]) =>
          recordCommand({ file: config.auditLog, masterKeys: backing.masterKeys }, entries)
        await carryOut({ db: database.db, tell: console.log, record }, words)
      })
    case 'audit': {
      const { action, subject, more } = words
      const files = subject === undefined ? [] : [subject, ...more]
      if (!(await commandAudit(config, action, files, console.log))) process.exitCode = 1
      return
    }
    case 'rotate-keys':
      return withDatabase(config, log, async (database, backing) => {
        await prepareSchema(database, backing)
        const { masterKeys } = backing
        const record = (entries: readonly AuditEntry[]) =>
          recordCommand({ file: config.auditLog, masterKeys }, entries)
        await record([])
        await rotateKeys(database.db, masterKeys, process.stdout, {
          dataKeys: words['data-keys'],
          record: (rotated) =>
            record([{ action: 'keys.rotated', actor: COMMAND_LINE, rotated, outcome: 'ok' }]),
        })
      })
    default:
      throw new StartupError(`${command}: there is no such command.\n\n${USAGE}`)
  }
}

/** How many words follow a command; none where it is not here. */
const WORDS_TAKEN: Record<string, number> = { namespaces: 2, keys: 2, audit: Infinity }

function readArguments() {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: OPTIONS })
    const [command = 'serve', ...given] = positionals
    const [action, subject, ...more] = given
    const surplus = given.slice(WORDS_TAKEN[command] ?? 0)
    if (surplus.length > 0) throw new Error(`Unexpected argument '${surplus.join(' ')}'`)
    return {
      command,
      help: values.help,
      words: { ...values, action, subject, more, expiresAt: values['expires-at'] },
    }
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.\n\n${USAGE}`)
  }
}

async function runService(config: Config, log: Logger, ephemeral: boolean): Promise<void> {
  const stop = stopSignal()
  const service = await Promise.race([serve(config, log, ephemeral), stop])
  if (service === 'stop') return
  console.log(greeting(service))
  if (config.tls === null && !isLoopback(config.host)) {
    log.warn(
      { host: config.host },
      'tokens travel unencrypted: set TOKEN_VAULT_TLS_CERT, or have a proxy do it',
    )
  }
  await stop
  log.info('stopping')
  await Promise.race([service.close(), sleep(MOST_STOPPING_MS)])
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

try {
  await run()
  process.exit()
} catch (error) {
  if (error instanceof StartupError) for (const fault of error.faults) console.error(fault)
  else if (error instanceof VaultError) console.error(error.message)
  else createLogger('fatal').fatal({ err: error }, 'token-vault failed: please report this')
  process.exit(1)
}

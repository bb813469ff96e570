#!/usr/bin/env node
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { explainDatabaseFault } from './backing/database-faults.ts'
import { commandRecord } from './backing/open-audit.ts'
import { prepareSchema } from './backing/prepare-schema.ts'
import { commandAudit } from './commands/audit.ts'
import { readArguments, USAGE } from './commands/command-line.ts'
import { examine } from './commands/doctor.ts'
import { commandImport } from './commands/import.ts'
import { commandKeys, commandNamespaces } from './commands/keys-and-namespaces.ts'
import { rotateKeys } from './commands/rotate-keys.ts'
import { withDatabase } from './commands/with-database.ts'
import type { Config } from './config/config.ts'
import { readConfig } from './config/config.ts'
import { StartupError, VaultError } from './domain/errors.ts'
import { COMMAND_LINE } from './domain/token.ts'
import { greeting } from './greeting.ts'
import { serve } from './main.ts'
import { endProcess } from './process/end-process.ts'
import { stopSignal } from './process/signals.ts'
import { migrate } from './store/migrate.ts'
import { createLogOutput } from './telemetry/log-output.ts'
import { createLogger } from './telemetry/logger.ts'

/** Renewals that the storage does not take by then are lost: the log has said so. */
const MOST_STOPPING_MS = 55_000

const output = createLogOutput()
// Of a crash: it waits for nothing.
process.on('exit', output.flushNow)

async function run(): Promise<void> {
  const { command, words, help } = readArguments(process.argv.slice(2))
  if (help) {
    console.log(USAGE)
    return
  }
  const config = readConfig()
  const log = createLogger(config.logLevel, output)
  switch (command) {
    case 'serve':
      return runService(config, log, words.ephemeral)
    case 'migrate':
      return withDatabase(config, log, { patient: true }, async ({ db }) => {
        const done = await migrate(db)
        console.log(done.length === 0 ? 'The schema is up to date.' : `Migrated: ${done.join(', ')}.`)
      })
    case 'doctor':
      return examine(config, log, console.log)
    case 'namespaces':
    case 'keys':
      // Of a namespace that is deleted millions of rows may go.
      return withDatabase(config, log, { patient: words.action === 'delete' }, async (database, backing) => {
        await prepareSchema(database, backing)
        const carryOut = command === 'keys' ? commandKeys : commandNamespaces
        const record = commandRecord(config, backing)
        await carryOut({ db: database.db, tell: console.log, record }, words)
      })
    case 'audit': {
      const { action, subject, more } = words
      const files = subject === undefined ? [] : [subject, ...more]
      if (!(await commandAudit(config, action, files, console.log))) process.exitCode = 1
      return
    }
    case 'rotate-keys':
      return withDatabase(config, log, { patient: true }, async (database, backing) => {
        await prepareSchema(database, backing)
        const record = commandRecord(config, backing)
        await record([])
        await rotateKeys(database.db, backing.masterKeys, process.stdout, {
          dataKeys: words.dataKeys || words.anew,
          anew: words.anew,
          record: (rotated) =>
            record([{ action: 'keys.rotated', actor: COMMAND_LINE, rotated, outcome: 'ok' }]),
        })
      })
    case 'import': {
      const { skipped } = await commandImport(config, log, words, process.stdout, stopSignal)
      if (skipped > 0) process.exitCode = 1
      return
    }
    default:
      throw new StartupError(`${command}: there is no such command.\n\n${USAGE}`)
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
  const isClosed = await Promise.race([service.close().then(() => true), sleep(MOST_STOPPING_MS, false)])
  if (!isClosed)
    log.error('stopped before everything was stored: what the log says waits for the storage is lost')
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

try {
  await run()
} catch (fault) {
  const error = explainDatabaseFault(fault)
  if (error instanceof StartupError) for (const line of error.faults) console.error(line)
  else if (error instanceof VaultError) console.error(error.message)
  else createLogger('fatal', output).fatal({ err: error }, 'token-vault failed: please report this')
  process.exitCode = 1
}
await endProcess(output)

#!/usr/bin/env node
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { explainDatabaseFault } from './backing/database-faults.ts'
import { administer } from './commands/administer.ts'
import { commandAudit } from './commands/audit.ts'
import { readArguments, USAGE } from './commands/command-line.ts'
import { examine } from './commands/doctor.ts'
import { commandImport } from './commands/import.ts'
import { commandKeys } from './commands/keys.ts'
import { commandMigrate } from './commands/migrate.ts'
import { commandNamespaces } from './commands/namespaces.ts'
import { commandRotateKeys } from './commands/rotate-keys.ts'
import type { Config } from './config/config.ts'
import { readConfig } from './config/config.ts'
import { StartupError, VaultError } from './domain/errors.ts'
import { greeting } from './greeting.ts'
import { serve } from './main.ts'
import { endProcess } from './process/end-process.ts'
import { stopSignal } from './process/signals.ts'
import { VERSION } from './process/version.ts'
import { createLogOutput } from './telemetry/log-output.ts'
import { createLogger } from './telemetry/logger.ts'

/** Renewals that the storage does not take by then are lost: the log has said so. */
const MOST_STOPPING_MS = 55_000

const output = createLogOutput()
// Of a crash: it waits for nothing.
process.on('exit', output.flushNow)

async function run(): Promise<void> {
  const { command, words, help, version } = readArguments(process.argv.slice(2))
  if (help || version) {
    console.log(help ? USAGE : VERSION)
    return
  }
  const config = readConfig()
  const log = createLogger(config.logLevel, output)
  switch (command) {
    case 'serve':
      return runService(config, log, words.ephemeral)
    case 'migrate':
      return commandMigrate(config, log, console.log)
    case 'doctor':
      return examine(config, log, console.log)
    case 'namespaces':
      return administer(config, log, commandNamespaces, words, console.log)
    case 'keys':
      return administer(config, log, commandKeys, words, console.log)
    case 'rotate-keys':
      return commandRotateKeys(config, log, words, process.stdout)
    case 'audit':
      return exitBy(commandAudit(config, words, console.log))
    case 'import':
      return exitBy(
        commandImport(config, log, words, process.stdout, stopSignal).then(({ skipped }) => skipped === 0),
      )
    default:
      throw new StartupError(`${command}: there is no such command.\n\n${USAGE}`)
  }
}

/** Ends with 1 where not all is well. */
async function exitBy(isWell: Promise<boolean>): Promise<void> {
  if (!(await isWell)) process.exitCode = 1
}

async function runService(config: Config, log: Logger, ephemeral: boolean): Promise<void> {
  const stop = stopSignal()
  const service = await Promise.race([serve(config, log, ephemeral), stop])
  if (service === 'stop') return
  const asksForCertificate = typeof config.tls?.clientCa === 'string'
  console.log(greeting({ ...service, asksForCertificate }))
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

#!/usr/bin/env node
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Config } from './config/config.ts'
import { readConfig } from './config/config.ts'
import { examine } from './doctor.ts'
import { StartupError } from './domain/errors.ts'
import { greeting } from './greeting.ts'
import { serve } from './main.ts'
import { runMigrations } from './run-migrations.ts'
import { stopSignal } from './signals.ts'
import { createLogger } from './telemetry/logger.ts'

const USAGE = `token-vault [command]

  serve               serve (the default)
    --ephemeral       on an embedded Postgres that is gone afterwards
  migrate             bring the schema of the database up to date
  doctor              try each part that a start needs, and say what to do

Settings are environment variables: see docs/settings.md.`

/** Renewals that the storage does not take by then are lost: the log has said so. */
const MOST_STOPPING_MS = 55_000

async function run(): Promise<void> {
  const { command, ephemeral, help } = readArguments()
  if (help) {
    console.log(USAGE)
    return
  }
  const config = readConfig()
  if (command === 'serve') await runService(config, ephemeral)
  else if (command === 'migrate') await migrateSchema(config)
  else if (command === 'doctor') await examine(config, createLogger(config.logLevel), console.log)
  else throw new StartupError(`${command}: there is no such command.\n\n${USAGE}`)
}

function readArguments() {
  const options = {
    ephemeral: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options })
    const [command = 'serve', ...rest] = positionals
    if (rest.length > 0) throw new Error(`Unexpected argument '${rest.join(' ')}'`)
    return { command, ...values }
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.\n\n${USAGE}`)
  }
}

async function runService(config: Config, ephemeral: boolean): Promise<void> {
  const log = createLogger(config.logLevel)
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

async function migrateSchema(config: Config): Promise<void> {
  const done = await runMigrations(config, createLogger(config.logLevel))
  console.log(done.length === 0 ? 'The schema is up to date.' : `Migrated: ${done.join(', ')}.`)
}

try {
  await run()
  process.exit(0)
} catch (error) {
  if (error instanceof StartupError) for (const fault of error.faults) console.error(fault)
  else createLogger('fatal').fatal({ err: error }, 'token-vault failed: please report this')
  process.exit(1)
}

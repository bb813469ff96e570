import { readConfig } from '../../src/config/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

/**
 * The service, or `rotate-keys --data-keys`, as a process with the times that the test says:
 * `serve KEY_CACHE_MS` and `rotate WAIT_MS PAGE_SIZE`.
 */
const [what, timeMs, pageSize] = process.argv.slice(2)
const config = readConfig(process.env)
const log = createLogger('error')

// Loading the service would be most of what a rotation that is soon killed does.
if (what === 'serve') {
  const { serve } = await import('../../src/main.ts')
  const service = await serve(config, log, false, Number(timeMs))
  process.once('SIGTERM', () => void service.close().then(() => process.exit(0)))
} else {
  const { rotateKeys } = await import('../../src/commands/rotate-keys.ts')
  const { withDatabase } = await import('../../src/commands/with-database.ts')
  const record = () => Promise.resolve()
  const options = { dataKeys: true, record, waitMs: Number(timeMs), pageSize: Number(pageSize) }
  await withDatabase(config, log, { patient: true }, ({ db }, { masterKeys }) =>
    rotateKeys(db, masterKeys, process.stdout, options),
  )
  process.exit(0)
}

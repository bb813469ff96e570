/**
 * A service as far as its data folder and its Postgres go: a process to be killed in tests. Takes the options as
 * JSON, prints `{ url, directory }` or the fault, and ends properly when its input ends.
 */
import { openDataFolder } from '../../src/embedded/data-folder.ts'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import type { EmbeddedPostgresOptions } from '../../src/embedded/embedded-postgres.ts'

for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined)
try {
  const options = JSON.parse(process.argv[2] ?? '') as EmbeddedPostgresOptions
  const folder = options.ephemeral ? null : openDataFolder(options.dataDir)
  const postgres = await startEmbeddedPostgres(options)
  const { url, directory } = postgres
  process.stdin.resume().once('end', () => {
    void postgres.stop().then(() => {
      folder?.close()
      process.exit()
    })
  })
  console.log(JSON.stringify({ url, directory }))
} catch (error) {
  console.log(JSON.stringify({ fault: (error as Error).message }))
  process.exitCode = 1
}

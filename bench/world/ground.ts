import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import { PROVIDER } from '../tokens.ts'
import type { Closings } from './closings.ts'

const remove = (folder: string) => {
  rmSync(folder, { recursive: true, force: true })
}

/** A folder for everything. Others may pass through it: as root, Postgres runs as another user. */
export function makeFolder(closings: Closings): string {
  const folder = mkdtempSync(join(tmpdir(), 'token-vault-bench-'))
  chmodSync(folder, 0o755)
  closings.add(() => {
    remove(folder)
  })
  return folder
}

/** As the service starts one without DATABASE_URL. Not an ephemeral one: that would not wait for the disk. */
export async function startPostgres(folder: string, closings: Closings): Promise<string> {
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), ephemeral: false })
  closings.add(async () => {
    await postgres.stop()
    // Its home is elsewhere where Postgres' user cannot reach the folder.
    remove(dirname(postgres.directory))
  })
  return postgres.url
}

/** The file that makes the stand-in a provider of the service's. */
export function writeProviders(folder: string, port: number): string {
  const file = join(folder, 'providers.json')
  const entry = { name: PROVIDER, token_url: `http://127.0.0.1:${port}/token` }
  writeFileSync(file, JSON.stringify({ providers: [entry] }))
  return file
}

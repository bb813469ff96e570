import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config/config.ts'
import { commandImport } from '../../src/commands/import.ts'
import type { ImportWords } from '../../src/commands/import.ts'
import type { Counts } from '../../src/import/report.ts'
import type { Columns } from '../../src/import/token-source.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'
import { DIALECTS, written } from './dialects.ts'

export interface Imported {
  counts: Partial<Counts>
  /** What the person saw, without the progress. */
  told: string[]
}

/** A vault that serves, and imports into it beside it. */
export interface ImportWorld {
  vault: TestVault
  run(words: Partial<ImportWords>, env?: Record<string, string>): Promise<Imported>
  /** Rows of a file, as the Python SDK writes it. */
  importRows(rows: Columns[], words?: Partial<ImportWords>): Promise<Imported>
  query(text: string): Promise<Record<string, unknown>[]>
  empty(): Promise<void>
  close(): Promise<void>
}

const neverStopped = () => new Promise(() => undefined)

export async function openImportWorld(): Promise<ImportWorld> {
  const database = await createTestDatabase()
  const vault = await startVault({ databaseUrl: database.url, env: { TOKEN_VAULT_REFRESHER: 'off' } })
  const folder = mkdtempSync(join(tmpdir(), 'vault-import-'))
  const run = async (words: Partial<ImportWords>, env: Record<string, string> = {}) => {
    const settings = {
      DATABASE_URL: database.url,
      TOKEN_VAULT_MASTER_KEYS: vault.masterKeys,
      TOKEN_VAULT_AUDIT_LOG: join(folder, 'audit.log'),
      ...env,
    }
    let text = ''
    const output = { write: (more: string) => (text += more) }
    const given = { action: undefined, subject: undefined, dryRun: false, ...words }
    const counts = await commandImport(
      readConfig(settings),
      createLogger('fatal'),
      given,
      output,
      neverStopped,
    )
    const told = text.split('\n').filter((line) => line !== '' && !line.startsWith('Rows: '))
    return { counts: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)), told }
  }
  return {
    vault,
    run,
    importRows(rows, words = {}) {
      const subject = join(folder, 'sdk_tokens.txt')
      const [python] = DIALECTS
      if (python !== undefined) writeFileSync(subject, written(python, rows))
      return run({ action: 'zoho-file', subject, ...words })
    },
    query: (text) => database.query(text),
    async empty() {
      await vault.call('DELETE', '/v1/tokens?all=true')
      await database.query('delete from events')
    },
    async close() {
      await vault.close()
      await database.drop()
      rmSync(folder, { recursive: true })
    },
  }
}

import type { Logger } from 'pino'
import { commandRecord } from '../backing/open-audit.ts'
import type { Backing } from '../backing/open-backing.ts'
import { openKeyring } from '../backing/open-keyring.ts'
import { prepareSchema } from '../backing/prepare-schema.ts'
import type { Config } from '../config/config.ts'
import { parseMysqlUrl } from '../config/formats.ts'
import type { AuditEntry } from '../domain/audit.ts'
import type { Caller } from '../domain/caller.ts'
import { StartupError } from '../domain/errors.ts'
import type { Secret } from '../domain/secret.ts'
import { COMMAND_LINE } from '../domain/token.ts'
import type { Counts } from '../import/report.ts'
import { createReport } from '../import/report.ts'
import type { Blanks } from '../import/to-save-body.ts'
import type { TokenSource } from '../import/token-source.ts'
import { openZohoFile } from '../import/zoho-file.ts'
import { openZohoMysql } from '../import/zoho-mysql.ts'
import { openZohoSqlite } from '../import/zoho-sqlite.ts'
import { loadProviders } from '../providers/load-providers.ts'
import { createProviders } from '../providers/providers.ts'
import type { Database, Db } from '../store/database.ts'
import { DEFAULT_NAMESPACE } from '../store/namespaces.ts'
import { createPostgresTokenStore } from '../store/postgres-token-store.ts'
import { importRows } from './import-rows.ts'
import { namespaceOf } from './namespaces.ts'
import type { Output } from './progress.ts'
import { createProgress } from './progress.ts'
import { withDatabase } from './with-database.ts'

export interface ImportWords {
  action: string | undefined
  /** The file or URL after the action. */
  subject: string | undefined
  namespace?: string
  table?: string
  clientId?: string | undefined
  clientSecret?: string | undefined
  apiDomain?: string | undefined
  dryRun: boolean
}

/** A save waits for the disk most of its time; more than these wait for the processor. */
const SAVES_AT_ONCE = 8
/** A save that holds a connection may wait for data keys, which come by one more. */
const CONNECTIONS = SAVES_AT_ONCE + 1

/**
 * Imports the tokens that a Zoho SDK kept, and tells what became of each row. Resolves with how many rows had which end.
 * @throws StartupError where the source or a setting is wrong
 */
export async function commandImport(
  config: Config,
  log: Logger,
  words: ImportWords,
  output: Output,
  stopSignal: () => Promise<unknown>,
): Promise<Counts> {
  const blanks = blanksOf(words)
  const source = await openSource(config, words)
  try {
    return await withDatabase(config, log, { size: CONNECTIONS }, async (database, backing) => {
      await prepareSchema(database, backing)
      return importSource({ config, words, output, stopSignal, blanks, source, database, backing })
    })
  } finally {
    source.close()
  }
}

function openSource(
  config: Config,
  { action, subject, table }: ImportWords,
): TokenSource | Promise<TokenSource> {
  switch (action) {
    case 'zoho-file':
      return openZohoFile(fileOf(subject, 'zoho-file sdk_tokens.txt'))
    case 'zoho-sqlite':
      return openZohoSqlite(fileOf(subject, 'zoho-sqlite zohooauth.db'), table)
    case 'zoho-mysql':
      return openZohoMysql(mysqlUrlOf(subject, config), table)
    default:
      throw new StartupError('import: say zoho-file FILE, zoho-mysql URL or zoho-sqlite FILE')
  }
}

function fileOf(subject: string | undefined, example: string): string {
  if (subject !== undefined && subject !== '') return subject
  throw new StartupError(`import: name the file, for example: token-vault import ${example}`)
}

/** The one of the setting stays out of the list of processes, where everybody reads a password. */
function mysqlUrlOf(subject: string | undefined, { mysqlUrl }: Config): Secret {
  const url = subject === undefined ? mysqlUrl : parseMysqlUrl(subject)
  if (url !== null) return url
  throw new StartupError(
    'import: name the database, for example: token-vault import zoho-mysql mysql://root@localhost:3306/zohooauth, or set MYSQL_URL',
  )
}

function blanksOf({ clientId, clientSecret, apiDomain }: ImportWords): Blanks {
  if (clientSecret !== undefined && clientId === undefined) {
    throw new StartupError('import: --client-secret needs --client-id, the client that it belongs to')
  }
  return { clientId: clientId ?? null, clientSecret: clientSecret ?? null, apiDomain: apiDomain ?? null }
}

interface Import {
  config: Config
  words: ImportWords
  output: Output
  /** Asked for once rows are imported: until then a signal ends the process. */
  stopSignal: () => Promise<unknown>
  blanks: Blanks
  source: TokenSource
  database: Database
  backing: Backing
}

async function importSource(parts: Import): Promise<Counts> {
  const { config, words, output, blanks, source, backing } = parts
  const { db } = parts.database
  const { dryRun, namespace: into = DEFAULT_NAMESPACE } = words
  const caller = await namespaceOf(db, into)
  const saving = await openSaving(config, db, backing)
  const record = commandRecord(config, backing)
  if (!dryRun) await record([])
  const report = createReport()
  const progress = createProgress(output, 'Rows', source.count)
  const onRow = () => {
    progress.advance(1)
  }
  const stop = new AbortController()
  void parts.stopSignal().then(() => {
    stop.abort()
  })
  try {
    await importRows({ ...saving, caller, blanks, dryRun, report, stop: stop.signal, onRow }, source.rows)
    if (stop.signal.aborted) throw new StartupError('import: was cut off: run it again for the rest')
    progress.end()
  } catch (error) {
    progress.breakOff()
    throw error
  } finally {
    try {
      // Of an import that was cut off, too: it is run again for the rest.
      if (!dryRun) await record([entryOf(caller, report.counts)])
    } finally {
      output.write(`${report.lines(source.name, into, dryRun).join('\n')}\n`)
    }
  }
  return report.counts
}

/** What rows are saved with. */
async function openSaving(config: Config, db: Db, backing: Backing) {
  const { keyring } = await openKeyring(db, backing.masterKeys)
  return {
    store: createPostgresTokenStore({ callers: db, renewals: db, keyring, owner: COMMAND_LINE }),
    providers: createProviders(loadProviders(config.providers)),
    policy: { marginSeconds: config.refreshMarginSeconds, random: Math.random },
    concurrency: SAVES_AT_ONCE,
  }
}

function entryOf({ namespaceId, keyId }: Caller, { imported, merged }: Counts): AuditEntry {
  return { action: 'tokens.imported', actor: keyId, namespaceId, count: imported + merged, outcome: 'ok' }
}

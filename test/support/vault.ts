import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Token } from '../../src/contract/tokens.ts'
import type { Problem } from '../../src/contract/problem.ts'
import { readConfig } from '../../src/config/config.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { serve } from '../../src/main.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { generateApiKey } from '../../src/domain/api-key.ts'
import type { TestDatabase } from './database.ts'
import { createTestDatabase } from './database.ts'

/** What a test reads of an answer: a token, a problem, or what else the route gives. */
type Body = Partial<Token> & Partial<Problem> & { tokens?: Token[]; next_cursor?: string; deleted?: number }

export interface Answer {
  status: number
  headers: Headers
  body: Body
  text: string
}

/** What a test reads of a line of the audit log. */
export interface AuditLine {
  seq: number
  request_id?: string
  namespace_id?: string
  actor?: string
  action: string
  token_id?: string
  key_id?: string
  count?: number
  disclosed?: Record<string, string>
  outcome: string
}

/** A service of the test's own, called over HTTP. */
export interface TestVault {
  url: string
  key: string
  masterKeys: string
  /** Everything that it logged. */
  log(): string
  /** The lines of its audit log. */
  audit(): AuditLine[]
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  save(body: object | string, headers?: Record<string, string>): Promise<Answer>
  find(body: object): Promise<Answer>
  /** Stops it; what it wrote can still be read. */
  stop(): Promise<void>
  /** The same, and removes what it wrote. */
  close(): Promise<void>
}

export interface TestVaultOptions {
  databaseUrl: string
  env?: Record<string, string>
  /** What the providers file holds. */
  providers?: object
  /** How long it keeps data keys in memory. */
  keyCacheMs?: number
}

export async function startVault({
  databaseUrl,
  env = {},
  providers,
  keyCacheMs,
}: TestVaultOptions): Promise<TestVault> {
  const key = env['TOKEN_VAULT_BOOTSTRAP_KEY'] ?? generateApiKey('bootstrap')
  const masterKeys = env['TOKEN_VAULT_MASTER_KEYS'] ?? generateMasterKey('k1')
  const folder = mkdtempSync(join(tmpdir(), 'vault-test-'))
  const file = join(folder, 'providers.json')
  if (providers !== undefined) writeFileSync(file, JSON.stringify(providers))
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'trace',
    TOKEN_VAULT_AUDIT_LOG: join(folder, 'audit.log'),
    ...env,
    TOKEN_VAULT_BOOTSTRAP_KEY: key,
    TOKEN_VAULT_MASTER_KEYS: masterKeys,
    ...(providers !== undefined && { TOKEN_VAULT_PROVIDERS_FILE: file }),
  })
  const lines: string[] = []
  const logger = createLogger(config.logLevel, { write: (line) => lines.push(line) })
  const service = await serve(config, logger, false, keyCacheMs)
  const call = callerOf(service.url, key)
  let stopped: Promise<void> | null = null
  const stop = () => (stopped ??= service.close())
  return {
    url: service.url,
    key,
    masterKeys,
    log: () => lines.join(''),
    audit: () => linesOf(config.auditLog ?? ''),
    call,
    save: (body, headers) => call('POST', '/v1/tokens', body, headers),
    find: (body) => call('POST', '/v1/tokens/find', body),
    stop,
    async close() {
      await stop()
      rmSync(folder, { recursive: true })
    },
  }
}

/** A vault for the tests of a file, on a database of its own; it renews nothing by itself. */
export function useVault(): { database: TestDatabase; vault: TestVault } {
  // Filled when they are there: a file has taken the two apart by then.
  const database = {} as TestDatabase
  const vault = {} as TestVault
  beforeAll(async () => {
    Object.assign(database, await createTestDatabase())
    const env = { TOKEN_VAULT_REFRESHER: 'off' }
    Object.assign(vault, await startVault({ databaseUrl: database.url, env }))
  })
  afterAll(async () => {
    await vault.close()
    await database.drop()
  })
  return { database, vault }
}

function linesOf(file: string): AuditLine[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as AuditLine)
}

function callerOf(url: string, key: string) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const json = text !== '' && response.headers.get('content-type')?.includes('json') === true
    return {
      status: response.status,
      headers: response.headers,
      body: json ? (JSON.parse(text) as Body) : {},
      text,
    }
  }
}

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { createDatabase } from '../../src/store/database.ts'
import type { EmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'
import { EchoProvider } from './echo-provider.ts'
import { eventually } from './embedded-processes.ts'
import { Room } from './embedded-room.ts'
import { Planting } from './planted.ts'
import { TcpProxy } from './tcp-proxy.ts'
import type { VaultProcess, VaultSettings } from './vault-process.ts'
import { startVaultProcess, vaultSettings } from './vault-process.ts'

/** Postgres writes down all that it hears: statements, parameters, durations and errors. */
const TALKATIVE = {
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'all.log',
  log_statement: 'all',
  log_min_duration_statement: '0',
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug5',
  log_error_verbosity: 'verbose',
  log_parameter_max_length: '-1',
  log_parameter_max_length_on_error: '-1',
}
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export interface CanaryAnswer {
  /** Method and path, without the query. */
  route: string
  status: number
  /** Status, headers and body. */
  text: string
  body: Record<string, unknown>
}

/** A service process whose every trace can be read, with secrets that can be found again in any of them. */
export class CanaryVault {
  readonly secrets = new Planting()
  readonly controls = new Planting()
  /** A provider's name lives as long as the process: what the heap is known to hold. */
  readonly providerName = this.controls.id()
  readonly answers: CanaryAnswer[] = []
  readonly #room = new Room()
  #parts: [EmbeddedPostgres, TcpProxy, EchoProvider, VaultSettings, VaultProcess] | undefined

  async start(): Promise<void> {
    this.#room.open()
    const postgres = await this.#room.start({ settings: TALKATIVE })
    const onLost = () => undefined
    const database = createDatabase({ urls: [postgres.url], size: 1, name: 'migrations', onLost })
    await migrate(database.db)
    await database.close()
    const proxy = await TcpProxy.start(postgres.url)
    const provider = await EchoProvider.start(() => this.renewal())
    mkdirSync(this.auditFolder)
    const settings = await vaultSettings(proxy.url, [this.#providerAt(provider.url)], {
      LOG_LEVEL: 'trace',
      TOKEN_VAULT_AUDIT_LOG: join(this.auditFolder, 'audit.log'),
      TOKEN_VAULT_REFRESHER: 'off',
    })
    const program = ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${this.#room.path}`, CLI]
    this.#parts = [postgres, proxy, provider, settings, await startVaultProcess(settings, program)]
  }

  async close(): Promise<void> {
    const [, proxy, provider, settings, service] = this.#started
    await service.stop()
    await Promise.all([proxy.close(), provider.close(), settings.drop()])
    await this.#room.close()
  }

  get #started() {
    if (this.#parts === undefined) throw new Error('the vault was not started')
    return this.#parts
  }
  get postgres(): EmbeddedPostgres {
    return this.#started[0]
  }
  get database(): TcpProxy {
    return this.#started[1]
  }
  get provider(): EchoProvider {
    return this.#started[2]
  }
  get settings(): VaultSettings {
    return this.#started[3]
  }
  log(): string {
    return this.#started[4].output()
  }
  get auditFolder(): string {
    return join(this.#room.path, 'audit')
  }

  /** What a provider answers that is well, with more secrets than it was asked for. */
  renewal() {
    const [access_token, refresh_token, id_token] = [1, 2, 3].map(() => this.secrets.secret())
    const said = { access_token, refresh_token, id_token, expires_in: 3600, scope: 'crm' }
    return { status: 200, body: JSON.stringify(said) }
  }

  #providerAt(url: string): object {
    return {
      name: this.providerName,
      token_url: url,
      revoke_url: `${url}/revoke`,
      rotates: 'always',
      client_auth: 'basic',
      min_interval: 0,
      timeout: 1,
    }
  }

  async call(method: string, path: string, body?: unknown, headers: object = {}): Promise<CanaryAnswer> {
    const { url, apiKey } = this.settings
    const typed = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...typed, ...headers },
      redirect: 'manual',
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const said = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    const answer = {
      route: `${method} ${path.split('?')[0] ?? ''}`,
      status: response.status,
      text: `${response.status} ${JSON.stringify([...response.headers])} ${said}`,
      body: isJson ? (JSON.parse(said) as Record<string, unknown>) : {},
    }
    this.answers.push(answer)
    return answer
  }

  async untilReadyIs(status: number): Promise<void> {
    const isSo = async () => (await this.call('GET', '/readyz')).status === status
    expect(await eventually(isSo)).toBe(true)
  }

  /** What the service does while the audit log has no place to be. */
  async withoutAudit(act: () => Promise<void>): Promise<void> {
    const aside = `${this.auditFolder}.aside`
    renameSync(this.auditFolder, aside)
    writeFileSync(this.auditFolder, 'no folder')
    await this.untilReadyIs(503)
    await act()
    renameSync(this.auditFolder, `${this.auditFolder}.file`)
    renameSync(aside, this.auditFolder)
    await this.untilReadyIs(200)
  }

  /** Node collects the garbage first. */
  async heapSnapshot(): Promise<Buffer> {
    process.kill(this.#started[4].pid, 'SIGUSR2')
    const find = () => readdirSync(this.#room.path).find((name) => name.endsWith('.heapsnapshot'))
    const isWhole = () => {
      const name = find()
      return name !== undefined && readFileSync(join(this.#room.path, name)).subarray(-3).includes('}')
    }
    expect(await eventually(isWhole)).toBe(true)
    return readFileSync(join(this.#room.path, find() ?? ''))
  }
}

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../src/embedded/free-port.ts'
import type { VaultProcess, VaultSettings } from './vault-process.ts'
import { startVaultProcess } from './vault-process.ts'

/** One replica of a vault, and how to start it again as the same one. */
export interface FleetReplica {
  settings: VaultSettings
  process: VaultProcess
}

/** Halves the work of a start. */
const COMPILE_CACHE = join(tmpdir(), 'token-vault-compile-cache')

/** Replicas of one vault as processes: the same database, the same keys, a port and an audit log each. */
export class Fleet {
  readonly replicas: FleetReplica[] = []
  readonly #settings: VaultSettings

  private constructor(settings: VaultSettings) {
    this.#settings = settings
  }

  /** One after the other, so that they do not wait for each other's work. */
  static async start(settings: VaultSettings, size: number): Promise<Fleet> {
    const fleet = new Fleet(settings)
    for (let count = 0; count < size; count += 1) {
      const port = String(await freePort())
      const env = {
        ...settings.env,
        PORT: port,
        TOKEN_VAULT_AUDIT_LOG: join(settings.folder, `audit-${port}.log`),
        NODE_COMPILE_CACHE: COMPILE_CACHE,
      }
      const own = { ...settings, url: `http://127.0.0.1:${port}`, env }
      fleet.replicas.push({ settings: own, process: await startVaultProcess(own) })
    }
    return fleet
  }

  any(): FleetReplica {
    const chosen = this.replicas[Math.floor(Math.random() * this.replicas.length)]
    if (chosen === undefined) throw new Error('the fleet has no replica')
    return chosen
  }

  /** kill -9, and a new start as the same replica. */
  async crash(replica: FleetReplica): Promise<void> {
    await replica.process.kill()
    replica.process = await startVaultProcess(replica.settings)
  }

  /** Asks any replica; rejects where it does not answer. */
  call(method: string, path: string, body?: object): Promise<Response> {
    const { url, apiKey } = this.any().settings
    const headers = {
      authorization: `Bearer ${apiKey}`,
      ...(body && { 'content-type': 'application/json' }),
    }
    return fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map(({ process }) => process.kill()))
    await this.#settings.drop()
  }
}

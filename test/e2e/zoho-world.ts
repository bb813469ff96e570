import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createTokenVaultClient } from '../../clients/typescript/src/index.ts'
import type { TokenVaultClient } from '../../clients/typescript/src/index.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { ZohoUser } from '../support/fake-zoho.ts'
import { JsonLines } from '../support/json-lines.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import type { ApplicationSettings, Failure, Outcome, Question, ShownToken } from './zoho-application.ts'
import { loadSdk, SDK_NAMES } from './zoho-sdks.ts'
import type { ConfiguredToken } from './zoho-sdks.ts'

const APPLICATION = fileURLToPath(new URL('zoho-application.ts', import.meta.url))

/** An application in a process of its own, with a real SDK. */
export interface Application {
  initialize: (token: ConfiguredToken) => Promise<Outcome<ShownToken>>
  switchUser: (token: ConfiguredToken) => Promise<Outcome<ShownToken>>
  /** API calls at the same time; each answers the organization. */
  call: (parallel?: number) => Promise<Outcome<string>[]>
  /** The methods of the store that the SDK has called since this was last asked. */
  storeCalls: () => Promise<string[]>
  stop: () => Promise<void>
}

/** A stand-in for Zoho, a vault in a process of its own over a database of its own, and applications. */
export interface World {
  zoho: FakeZoho
  databaseUrl: string
  settings: VaultSettings
  vault: VaultProcess
  client: TokenVaultClient
  application: (settings: Omit<ApplicationSettings, 'zohoUrl'>) => Application
  /** Makes the access token of this id one that has expired by now. */
  expire: (id: string) => Promise<void>
  startVault: () => Promise<void>
  close: () => Promise<void>
}

export async function createWorld(lifetimeSeconds: number): Promise<World> {
  // To load one stops this process for seconds, in which the connections that it makes would time out.
  await Promise.all(SDK_NAMES.map(loadSdk))
  const database = await createTestDatabase()
  const zoho = await FakeZoho.start({ lifetimeSeconds })
  const dataCentre = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const provider = { name: 'zoho', default_data_centre: 'stand-in', data_centres: [dataCentre] }
  const settings = await vaultSettings(database.url, [provider])
  const { url, apiKey } = settings
  const applications: Application[] = []
  const world: World = {
    zoho,
    databaseUrl: database.url,
    settings,
    vault: await startVaultProcess(settings),
    client: createTokenVaultClient({ url, apiKey }),
    application(settingsOfOne) {
      const started = startApplication({ zohoUrl: zoho.url, ...settingsOfOne })
      applications.push(started)
      return started
    },
    async expire(id) {
      await database.query("update tokens set expires_at = now() - interval '1 minute' where id = $1", [id])
    },
    async startVault() {
      world.vault = await startVaultProcess(settings)
    },
    async close() {
      await Promise.all(applications.map((application) => application.stop()))
      await world.vault.stop()
      await zoho.close()
      await settings.drop()
      await database.drop()
    },
  }
  return world
}

/** A world for `act` alone. */
export async function inWorld(lifetimeSeconds: number, act: (world: World) => Promise<void>): Promise<void> {
  const world = await createWorld(lifetimeSeconds)
  try {
    await act(world)
  } finally {
    await world.close()
  }
}

function startApplication(settings: ApplicationSettings): Application {
  const child = spawn(process.execPath, [APPLICATION, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = new JsonLines(child)
  const ended = once(child, 'exit')
  const ask = <T>(question: Question) => lines.ask<T>(question)
  return {
    initialize: (token) => ask({ ask: 'initialize', token }),
    switchUser: (token) => ask({ ask: 'switchUser', token }),
    call: (parallel = 1) => ask({ ask: 'call', parallel }),
    storeCalls: () => ask({ ask: 'storeCalls' }),
    async stop() {
      child.stdin.end()
      child.kill()
      await ended
    },
  }
}

/** How the application is configured to log in at first. */
export function firstLogin(zoho: FakeZoho, user: ZohoUser): ConfiguredToken {
  return { clientId: zoho.client.id, clientSecret: zoho.client.secret, grantToken: zoho.grant(user) }
}

export const nameOf = (user: ZohoUser) => `${user.email}:${user.zgid}`

export function valueOf<T>(outcome: Outcome<T> | undefined): T {
  if (outcome === undefined || 'failure' in outcome)
    throw new Error(`not a value: ${JSON.stringify(outcome)}`)
  return outcome.value
}

export function failureOf(outcome: Outcome<unknown> | undefined): Failure {
  if (outcome === undefined || 'value' in outcome)
    throw new Error(`not a failure: ${JSON.stringify(outcome)}`)
  return outcome.failure
}

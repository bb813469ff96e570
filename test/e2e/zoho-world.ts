import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createTokenVaultClient } from '../../clients/typescript/src/index.ts'
import type { TokenVaultClient } from '../../clients/typescript/src/index.ts'
import { createTestDatabase } from '../support/database.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { ZohoCall, ZohoUser } from '../support/fake-zoho.ts'
import { JsonLines } from '../support/json-lines.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import type {
  ApplicationSettings,
  ConfiguredToken,
  Failure,
  Outcome,
  Question,
  ShownToken,
} from './zoho-application.ts'

const APPLICATION = fileURLToPath(new URL('zoho-application.ts', import.meta.url))

/** An application in a process of its own, with the real SDK. */
export interface Application {
  initialize: (token: ConfiguredToken) => Promise<Outcome<ShownToken>>
  /** API calls at the same time; each answers the organization. */
  call: (parallel?: number) => Promise<Outcome<string>[]>
  ask: <T>(question: Question) => Promise<Outcome<T>>
  stop: () => Promise<void>
}

/** A stand-in for Zoho, a vault in a process of its own over a database of its own, and applications. */
export interface World {
  zoho: FakeZoho
  settings: VaultSettings
  vault: VaultProcess
  client: TokenVaultClient
  application: (options?: Partial<ApplicationSettings>) => Application
  startVault: () => Promise<void>
  close: () => Promise<void>
}

export async function createWorld(lifetimeSeconds: number, env: Record<string, string> = {}): Promise<World> {
  const database = await createTestDatabase()
  const zoho = await FakeZoho.start({ lifetimeSeconds })
  const dataCentre = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const provider = { name: 'zoho', default_data_centre: 'stand-in', data_centres: [dataCentre] }
  const settings = await vaultSettings(database.url, [provider], env)
  const { url, apiKey } = settings
  const applications: Application[] = []
  const world: World = {
    zoho,
    settings,
    vault: await startVaultProcess(settings),
    client: createTokenVaultClient({ url, apiKey }),
    application(options = {}) {
      const started = startApplication({ zohoUrl: zoho.url, url, apiKey, ...options })
      applications.push(started)
      return started
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

function startApplication(settings: ApplicationSettings): Application {
  const child = spawn(process.execPath, [APPLICATION, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = new JsonLines(child)
  const ended = once(child, 'exit')
  return {
    initialize: (token) => lines.ask({ ask: 'initialize', token }),
    call: (parallel = 1) => lines.ask({ ask: 'call', parallel }),
    ask: (question) => lines.ask(question),
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

/** A user of the stand-in who is already in the vault, with an access token that has just expired. */
export async function expiredToken({ zoho, client }: World, user: ZohoUser) {
  const refreshToken = zoho.refreshToken(user)
  const { id } = await client.save({
    user_name: nameOf(user),
    client_id: zoho.client.id,
    client_secret: zoho.client.secret,
    refresh_token: refreshToken,
    access_token: `gone-${refreshToken}`,
    expires_in: 0,
    api_domain: zoho.url,
  })
  return { id, refreshToken }
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

/** Renewals asked of Zoho with this refresh token, by the vault or by an SDK. */
export const refreshesOf = (zoho: FakeZoho, refreshToken: string, by?: ZohoCall['by']) =>
  zoho.calls.filter(
    (call) => call.kind === 'refresh' && call.token === refreshToken && (by === undefined || call.by === by),
  )

import { setTimeout as pause } from 'node:timers/promises'
import type { ExpectStatic } from 'vitest'
import { createTokenVaultClient } from '../../clients/typescript/src/index.ts'
import type { TokenVaultClient } from '../../clients/typescript/src/index.ts'
import { createZohoTokenStore } from '../../clients/typescript/src/zoho.ts'
import type { ZohoTokenStore, ZohoTokenStoreOptions } from '../../clients/typescript/src/zoho.ts'
import { SCOPES } from '../../src/domain/caller.ts'
import type { ZohoCall, ZohoUser } from '../support/fake-zoho.ts'
import { makeNamespace } from '../support/namespaces.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import type { ApplicationSettings, Failure } from './zoho-application.ts'
import { loadSdk } from './zoho-sdks.ts'
import type { OAuthToken, SdkName, ZohoSdkModule } from './zoho-sdks.ts'
import { nameOf, valueOf } from './zoho-world.ts'
import type { Application, World } from './zoho-world.ts'

type StoreOptions = Partial<ZohoTokenStoreOptions>

/** A token that the vault has, as it was saved. */
interface SavedToken {
  id: string
  user_name: string
  access_token: string
  refresh_token: string
  grant_token: string
  client_secret: string
  redirect_url: string
  api_domain: string
}

/** What one test of one SDK has to itself in a world: a namespace with its keys, a user, and ways to the vault. */
export interface Stage {
  expect: ExpectStatic
  world: World
  sdkName: SdkName
  sdk: ZohoSdkModule
  /** With a key of every scope. */
  client: TokenVaultClient
  /** A key of the scope `tokens:use` alone. */
  useKey: string
  /** People of this test, by first name. */
  person: (name: string, lifetimeSeconds?: number) => ZohoUser
  /** The adapter in the test's own process. */
  store: (options?: StoreOptions) => ZohoTokenStore<OAuthToken>
  application: (options?: Partial<ApplicationSettings>) => Application
  /** A way to the vault that can be lost. */
  line: () => Promise<TcpProxy>
  /** Saves a user's token whose access token lives; it has every field. */
  saved: (user: ZohoUser) => Promise<SavedToken>
  /** What Zoho was asked to renew with this refresh token. */
  refreshes: (refreshToken: string, by?: ZohoCall['by']) => ZohoCall[]
}

export interface Cast {
  world: World
  sdkName: SdkName
  /** Of the test; distinct in a world. */
  name: string
}

/** What a play has brought onto its stage. */
interface Props {
  applications: Application[]
  lines: TcpProxy[]
}

/** Lets `act` play on a stage that is cleared away afterwards. */
export async function play(
  cast: Cast,
  expect: ExpectStatic,
  act: (stage: Stage) => Promise<void>,
): Promise<void> {
  const props: Props = { applications: [], lines: [] }
  try {
    await act(await createStage(cast, expect, props))
  } finally {
    await Promise.all(props.applications.map((application) => application.stop()))
    await Promise.all(props.lines.map((line) => line.close()))
  }
}

async function createStage(
  { world, sdkName, name }: Cast,
  expect: ExpectStatic,
  { applications, lines }: Props,
): Promise<Stage> {
  const { zoho, settings } = world
  const sdk = await loadSdk(sdkName)
  const stageName = `${name}.${sdkName}`.toLowerCase()
  const scopes = [[...SCOPES], ['tokens:use' as const]]
  const { keys } = await makeNamespace(world.databaseUrl, stageName, scopes)
  const [apiKey = '', useKey = ''] = keys.map(({ key }) => key)
  const client = createTokenVaultClient({ url: settings.url, apiKey })
  return {
    ...{ expect, world, sdkName, sdk, client, useKey },
    person: (first, lifetimeSeconds) => personOf(stageName, first, lifetimeSeconds),
    store: (options = {}) => createZohoTokenStore(sdk, { url: settings.url, apiKey, ...options }),
    application(options = {}) {
      const started = world.application({ sdk: sdkName, url: settings.url, apiKey, ...options })
      applications.push(started)
      return started
    },
    async line() {
      const line = await TcpProxy.start(settings.url)
      lines.push(line)
      return line
    },
    async saved(user) {
      const token = {
        ...{ provider: 'zoho', api_domain: zoho.url, redirect_url: 'https://app.example/back' },
        ...{ user_name: nameOf(user), client_id: zoho.client.id, client_secret: zoho.client.secret },
        ...{ refresh_token: zoho.refreshToken(user), grant_token: `grant.${user.zgid}` },
        ...{ access_token: zoho.grants.issue(user).accessToken, expires_in: 3600 },
      }
      return { ...token, id: (await client.save(token)).id }
    },
    refreshes: (refreshToken, by) =>
      zoho.calls.filter(
        (call) =>
          call.kind === 'refresh' && call.token === refreshToken && (by === undefined || call.by === by),
      ),
  }
}

function personOf(stageName: string, first: string, lifetimeSeconds?: number): ZohoUser {
  const email = `${first}@${stageName}.example`
  return { email, zgid: `zgid.${email}`, ...(lifetimeSeconds !== undefined && { lifetimeSeconds }) }
}

/** Calls again and again until `isEnough`; resolves with what each call brought. */
export async function keepCalling(application: Application, isEnough: () => boolean): Promise<string[]> {
  const answers: string[] = []
  while (!isEnough()) {
    answers.push(valueOf((await application.call())[0]))
    await pause(200)
  }
  return answers
}

/** Calls again and again until a call fails, and resolves with its failure. */
export async function untilItFails(application: Application): Promise<Failure> {
  for (;;) {
    const [outcome] = await application.call()
    if (outcome !== undefined && 'failure' in outcome) return outcome.failure
    await pause(200)
  }
}

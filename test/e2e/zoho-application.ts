/**
 * An application that uses a real Zoho SDK with its tokens in the vault. A process of its own, as applications are,
 * since the SDKs keep their state in statics: it does what it is asked by JSON lines on standard input and answers on
 * standard output.
 */
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { createZohoTokenStore } from '../../clients/typescript/src/zoho.ts'
import type { ZohoTokenStore, ZohoTokenStoreOptions } from '../../clients/typescript/src/zoho.ts'
import { loadSdk, tokenOf } from './zoho-sdks.ts'
import type { ConfiguredToken, OAuthToken, SdkName } from './zoho-sdks.ts'

/** Which SDK, where Zoho and the vault are; given as JSON in the first argument. */
export interface ApplicationSettings extends Omit<ZohoTokenStoreOptions, 'fetch'> {
  sdk: SdkName
  zohoUrl: string
  /** How much its clock is wrong. */
  clockOffsetMs?: number
}

export interface ShownToken {
  id: string | null
  user: string | null
  clientSecret: string | null
  grantToken: string | null
  refreshToken: string | null
  accessToken: string | null
}

export interface Failure {
  isSdkException: boolean
  code: string | null
  message: string
}

export type Outcome<T> = { value: T } | { failure: Failure }

export type Question =
  | { ask: 'initialize' | 'switchUser'; token: ConfiguredToken }
  /** So many API calls at the same time; each one's answer is the organization's zgid. */
  | { ask: 'call'; parallel: number }
  /** The methods of the store that the SDK has called since this was last asked. */
  | { ask: 'storeCalls' }

const {
  sdk: sdkName,
  zohoUrl,
  clockOffsetMs,
  ...storeOptions
} = JSON.parse(process.argv[2] ?? '{}') as ApplicationSettings
if (clockOffsetMs !== undefined) setClock(clockOffsetMs)
const sdk = await loadSdk(sdkName)
const storeCalls: string[] = []
const store = watched(createZohoTokenStore(sdk, storeOptions))
const environment = sdk.DataCenter.setEnvironment(zohoUrl, `${zohoUrl}/oauth/v2/token`, zohoUrl)

function setClock(offsetMs: number): void {
  const now = Date.now.bind(Date)
  globalThis.Date = class extends Date {
    constructor(...given: [] | [string | number | Date]) {
      super(given[0] ?? now() + offsetMs)
    }
    static override now = () => now() + offsetMs
  } as DateConstructor
}

/** The same store, with its calls written down. */
function watched(plain: ZohoTokenStore<OAuthToken>): ZohoTokenStore<OAuthToken> {
  return new Proxy(plain, {
    get(target, name: keyof ZohoTokenStore<OAuthToken>) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...args: unknown[]): unknown => {
        storeCalls.push(name)
        return method.apply(target, args)
      }
    },
  })
}

/**
 * The Node.js SDK's constructor gives a promise of a builder; the TypeScript SDK's goes on after it has returned, and
 * would then put the token of before in the place of what the builder was told meanwhile.
 */
async function newBuilder() {
  const builder = await Promise.resolve(new sdk.InitializeBuilder())
  await pause(0)
  return builder
}

async function initialize(configured: ConfiguredToken): Promise<ShownToken> {
  const token = tokenOf(sdk, configured)
  // In the Node.js SDK a second one would end in a TypeError of its own while the first one's user is remembered.
  const { LOCAL } = sdk.Initializer as unknown as { LOCAL: Map<string, unknown> }
  LOCAL.clear()
  const builder = await newBuilder()
  await builder.environment(environment).token(token).store(store).resourcePath(tmpdir()).initialize()
  return shown(token)
}

async function switchUser(configured: ConfiguredToken): Promise<ShownToken> {
  const token = tokenOf(sdk, configured)
  const builder = await newBuilder()
  await builder.environment(environment).token(token).switchUser()
  // The Node.js SDK does not wait for it.
  while (token.getId() == null) await pause(10)
  return shown(token)
}

function shown(token: OAuthToken): ShownToken {
  return {
    id: token.getId(),
    user: token.getUserSignature()?.getName() ?? null,
    clientSecret: token.getClientSecret() ?? null,
    grantToken: token.getGrantToken() ?? null,
    refreshToken: token.getRefreshToken() ?? null,
    accessToken: token.getAccessToken() ?? null,
  }
}

async function callZoho(): Promise<string> {
  const response = await new sdk.Org.OrgOperations().getOrganization()
  const body = response.getObject() as { getOrg?: () => { getZgid(): string }[] }
  const zgid = body.getOrg?.()[0]?.getZgid()
  if (zgid === undefined) throw new Error(`Zoho answered ${response.getStatusCode()}`)
  return zgid
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    const { code, message } = error as { code?: string; message: unknown }
    const isSdkException = error instanceof sdk.SDKException
    return { failure: { isSdkException, code: code ?? null, message: String(message) } }
  }
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'initialize':
      return outcomeOf(() => initialize(question.token))
    case 'switchUser':
      return outcomeOf(() => switchUser(question.token))
    case 'call':
      return Promise.all(Array.from({ length: question.parallel }, () => outcomeOf(callZoho)))
    case 'storeCalls':
      return storeCalls.splice(0)
  }
}

createInterface(process.stdin).on('line', (line) => {
  const question = JSON.parse(line) as Question & { number: number }
  void answer(question).then((given) => {
    process.stdout.write(`${JSON.stringify({ number: question.number, answer: given })}\n`)
  })
})

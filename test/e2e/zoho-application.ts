/**
 * An application that uses the real Zoho SDK with its tokens in the vault. A process of its own, as applications
 * are: it does what it is asked by JSON lines on standard input and answers on standard output.
 */
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import * as sdk from '@zohocrm/typescript-sdk-8.0'
import { createZohoTokenStore } from '../../clients/typescript/src/zoho.ts'

/** Where the application finds Zoho and the vault; given as JSON in its first argument. */
export interface ApplicationSettings {
  zohoUrl: string
  url: string
  apiKey: string
  minTtl?: number
  cacheSeconds?: number
}

/** What the application's own configuration says of its token. */
export interface ConfiguredToken {
  id?: string
  user?: string
  clientId?: string
  clientSecret?: string
  grantToken?: string
  refreshToken?: string
}

export interface ShownToken {
  id: string | null
  user: string | null
  refreshToken: string | null
  accessToken: string | null
  expiresIn: string | null
}

export interface Failure {
  isSdkException: boolean
  code: string | null
  message: string
}

export type Outcome<T> = { value: T } | { failure: Failure }

export type Question =
  | { ask: 'initialize'; token: ConfiguredToken }
  /** So many API calls at the same time; each one's answer is the organization's zgid. */
  | { ask: 'call'; parallel: number }
  | { ask: 'findTokenById' | 'deleteToken' | 'revoke'; id: string }
  | { ask: 'getTokens' }

const settings = JSON.parse(process.argv[2] ?? '{}') as ApplicationSettings
const { zohoUrl, ...storeOptions } = settings
const store = createZohoTokenStore(sdk, storeOptions)

async function initialize(configured: ConfiguredToken): Promise<ShownToken> {
  const token = tokenOf(configured)
  const builder = new sdk.InitializeBuilder()
  await builder
    .environment(sdk.DataCenter.setEnvironment(zohoUrl, `${zohoUrl}/oauth/v2/token`, zohoUrl))
    .token(token)
    .store(store)
    .resourcePath(tmpdir())
    .initialize()
  return shown(token)
}

function tokenOf(configured: ConfiguredToken): sdk.OAuthToken {
  const builder = new sdk.OAuthBuilder()
  if (configured.id !== undefined) builder.id(configured.id)
  if (configured.user !== undefined) builder.userSignature(new sdk.UserSignature(configured.user))
  if (configured.clientId !== undefined) builder.clientId(configured.clientId)
  if (configured.clientSecret !== undefined) builder.clientSecret(configured.clientSecret)
  if (configured.grantToken !== undefined) builder.grantToken(configured.grantToken)
  if (configured.refreshToken !== undefined) builder.refreshToken(configured.refreshToken)
  return builder.build()
}

function shown(token: sdk.OAuthToken): ShownToken {
  return {
    id: token.getId(),
    user: token.getUserSignature()?.getName() ?? null,
    refreshToken: token.getRefreshToken(),
    accessToken: token.getAccessToken(),
    expiresIn: token.getExpiresIn(),
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
    const { code, message } = error as { code?: string; message: string }
    return { failure: { isSdkException: error instanceof sdk.SDKException, code: code ?? null, message } }
  }
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'initialize':
      return outcomeOf(() => initialize(question.token))
    case 'call':
      return Promise.all(Array.from({ length: question.parallel }, () => outcomeOf(callZoho)))
    case 'findTokenById':
      return outcomeOf(async () => shown(await store.findTokenById(question.id)))
    case 'deleteToken':
      return outcomeOf(() => store.deleteToken(question.id))
    case 'revoke':
      return outcomeOf(() => store.revoke(question.id))
    case 'getTokens':
      return outcomeOf(async () => (await store.getTokens()).map(shown))
  }
}

if (process.argv[2] !== undefined) {
  createInterface(process.stdin).on('line', (line) => {
    const question = JSON.parse(line) as Question & { number: number }
    void answer(question).then((given) => {
      process.stdout.write(`${JSON.stringify({ number: question.number, answer: given })}\n`)
    })
  })
}

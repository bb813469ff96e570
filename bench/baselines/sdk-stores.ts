/**
 * The token stores of Zoho's SDK for TypeScript, which an application uses within its own process: so they are asked
 * here, without HTTP in between, as many at once as a plan says.
 */
import { createHistogram } from 'node:perf_hooks'
import { DBBuilder, FileStore, OAuthBuilder, UserSignature } from '@zohocrm/typescript-sdk-8.0'
import { answerWith } from '../processes/parent.ts'
import { userNameOf } from '../tokens.ts'

export interface StorePlan {
  /** Of MariaDB; or else the file. */
  url: string | null
  file: string
  /** Each look-up is for the user of a random one of these. */
  tokens: number
  atOnce: number
  seconds: number
}

export interface StoreResult {
  finds: number
  seconds: number
  p50Ms: number
  p99Ms: number
}

const US_PER_MS = 1000

answerWith(async (plan: StorePlan) => {
  const store = plan.url === null ? new FileStore(plan.file) : databaseStore(new URL(plan.url))
  const histogram = createHistogram()
  const startedAt = performance.now()
  const endsAt = startedAt + plan.seconds * 1000
  const findInTurn = async () => {
    for (let now = performance.now(); now < endsAt;) {
      const user = userNameOf(Math.floor(Math.random() * plan.tokens))
      const token = new OAuthBuilder().userSignature(new UserSignature(user)).build()
      if ((await store.findToken(token)) === null) throw new Error(`${user} was not found`)
      const foundAt = performance.now()
      histogram.record(Math.max(1, Math.round((foundAt - now) * US_PER_MS)))
      now = foundAt
    }
  }
  await Promise.all(Array.from({ length: plan.atOnce }, findInTurn))
  return {
    finds: histogram.count,
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: histogram.percentile(50) / US_PER_MS,
    p99Ms: histogram.percentile(99) / US_PER_MS,
  } satisfies StoreResult
})

function databaseStore({ hostname, port, pathname, username, password }: URL) {
  return new DBBuilder()
    .host(hostname)
    .portNumber(Number(port))
    .databaseName(pathname.slice(1))
    .tableName('oauthtoken')
    .userName(username)
    .password(decodeURIComponent(password))
    .build()
}

/**
 * What the token store adds to an API call whose token is cached: the SDKs ask it once a call. Prints the time of one
 * such question, the median of many rounds; no test, since the figure is the machine's.
 */
import { createZohoTokenStore } from '../clients/typescript/src/zoho.ts'
import { loadSdk, SDK_NAMES } from '../test/e2e/zoho-sdks.ts'

const TARGET_MS = 0.1
const ROUNDS = 51
const CALLS_A_ROUND = 2_000
const TOKEN = {
  ...{ id: '01a2091c-1111-7000-8000-000000000000', provider: 'zoho', user_name: 'ann@example.com:4711' },
  ...{ client_id: '1000.CLIENT', client_secret: 'c'.repeat(42), refresh_token: `1000.${'r'.repeat(65)}` },
  ...{ access_token: `1000.${'a'.repeat(65)}`, expires_in: 3600, api_domain: 'https://www.zohoapis.eu' },
}

async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now()
    for (let call = 0; call < CALLS_A_ROUND; call += 1) await ask()
    rounds.push((performance.now() - startedAt) / CALLS_A_ROUND)
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN
}

function report(name: string, ms: number): void {
  const verdict = ms <= TARGET_MS ? 'within' : 'OVER'
  console.log(`${name.padEnd(32)} ${ms.toFixed(4)} ms a cached call, ${verdict} ${TARGET_MS} ms`)
}

for (const name of SDK_NAMES) {
  const sdk = await loadSdk(name)
  const fetch = () => Promise.resolve(Response.json(TOKEN))
  const options = { url: 'http://127.0.0.1:8080', apiKey: 'tv_bench_key', cacheSeconds: 3600, fetch }
  const store = createZohoTokenStore(sdk, options)
  const partial = () => new sdk.OAuthBuilder().userSignature(new sdk.UserSignature(TOKEN.user_name)).build()
  report(`${name}: findTokenById`, await medianMs(() => store.findTokenById(TOKEN.id)))
  report(`${name}: findToken`, await medianMs(() => store.findToken(partial())))
}

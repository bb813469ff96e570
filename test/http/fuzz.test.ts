import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Problem } from '../../src/contract/problem.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { keepAlive } from '../support/keep-alive.ts'
import type { PlainAnswer } from '../support/keep-alive.ts'
import { requestsOf } from '../support/openapi-requests.ts'
import type { DocumentedRequest, Operation } from '../support/openapi-requests.ts'
import { createRandom } from '../support/random.ts'
import { parseRaw, rawRequest, sendRaw } from '../support/raw-http.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

/** `npm run test:fuzz` asks for a million; a failure repeats with its FUZZ_SEED. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 10_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const RAW_REQUESTS = Math.ceil(REQUESTS / 10)
const AT_ONCE = 500
const MOST_GROWTH_BYTES = 16 * 1024 * 1024
const TIME_MS = 120_000 + REQUESTS * 20

let database: TestDatabase
let vault: TestVault
let client: ReturnType<typeof keepAlive>
let requests: fc.Arbitrary<DocumentedRequest>

beforeAll(async () => {
  database = await createTestDatabase()
  const env = { TOKEN_VAULT_REFRESHER: 'off', LOG_LEVEL: 'error' }
  // Should a token of zoho's come about all the same, nothing leaves this machine.
  const closed = { name: 'closed', api_domain: 'http://127.0.0.1:9', accounts_url: 'http://127.0.0.1:9' }
  const zoho = { name: 'zoho', default_data_centre: 'closed', data_centres: [closed] }
  vault = await startVault({ databaseUrl: database.url, env, providers: { providers: [zoho] } })
  client = keepAlive(vault.url)
  await countWrites()
  const { body } = await vault.call('GET', '/openapi.json')
  const { paths } = body as unknown as { paths: Record<string, Record<string, Operation>> }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      arbitrary: requestsOf(path, method.toUpperCase(), operation),
      // So many that they meet each other's tokens.
      weight: path === '/v1/tokens' && method === 'post' ? 5 : 1,
    })),
  )
  requests = fc.oneof(...operations)
  console.info(`FUZZ_SEED=${SEED}`)
})

afterAll(async () => {
  client.close()
  await vault.close()
  await database.drop()
})

/** Every row that is written moves this on, even if it is rolled back. */
async function countWrites(): Promise<void> {
  await database.query(`create sequence writes`)
  await database.query(`create function count_write() returns trigger language plpgsql as
    $$ begin perform nextval('writes'); return null; end $$`)
  for (const table of ['tokens', 'refresh_tokens', 'events', 'api_keys', 'namespaces']) {
    await database.query(
      `create trigger added after insert or delete on ${table} for each row execute function count_write()`,
    )
    await database.query(`create trigger changed after update on ${table} for each row
      when (to_jsonb(old) - 'last_used_at' is distinct from to_jsonb(new) - 'last_used_at') execute function count_write()`)
  }
}

async function writes(): Promise<string> {
  const [row] = await database.query<{ count: string }>('select last_value::text as count from writes')
  return row?.count ?? ''
}

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
function heapUsed(): number {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** After a quarter of the requests everything is warm: from then on the heap must stay as it is. */
function expectFlat(warmBytes: number, what: string): void {
  const grownBytes = heapUsed() - warmBytes
  console.info(`${what}; the heap grew from ${inMiB(warmBytes)} MiB by ${inMiB(grownBytes)} MiB`)
  expect(grownBytes).toBeLessThan(MOST_GROWTH_BYTES)
}

const inMiB = (bytes: number) => (bytes / 1024 / 1024).toFixed(1)

/** None is a fault of the service; each refusal says what was wrong, in the one form that there is. */
function judge({ status, headers, text }: PlainAnswer, method: string, told: string): void {
  expect(status < 500 || (status === 503 && headers['retry-after'] !== undefined), told).toBe(true)
  if (status < 400 || method === 'HEAD') return
  expect([String(headers['content-type']).split(';')[0], told]).toEqual(['application/problem+json', told])
  const problem = JSON.parse(text) as Problem
  const { type, title, detail, code, request_id, errors } = problem
  expect([type, problem.status], told).toEqual([`urn:token-vault:problem:${code}`, status])
  expect(
    [title, detail, request_id].every((words) => words.length > 5),
    told,
  ).toBe(true)
  if (code === 'invalid_request') {
    expect(errors?.length, told).toBeGreaterThan(0)
    expect(
      errors?.every((error) => error.detail !== ''),
      told,
    ).toBe(true)
  }
}

test(
  'no request that can be made from the OpenAPI document breaks the service',
  { timeout: TIME_MS },
  async () => {
    const statuses = new Map<number, number>()
    let stored = await writes()
    let heapBefore = 0
    for (let done = 0; done < REQUESTS; done += AT_ONCE) {
      for (const { documented, ...request } of fc.sample(requests, { numRuns: AT_ONCE, seed: SEED + done })) {
        const answer = await client.send({
          ...request,
          headers: { authorization: `Bearer ${vault.key}`, ...request.headers },
        })
        const told = `FUZZ_SEED=${SEED}: ${answer.status} to ${JSON.stringify(request).slice(0, 2000)}`
        judge(answer, request.method, told)
        if (documented.length > 0) expect([...documented, '404'], told).toContain(String(answer.status))
        const before = stored
        stored = await writes()
        if (answer.status >= 400) expect(stored, `${told} stored something`).toBe(before)
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      }
      await database.query('delete from events')
      await database.query('delete from api_keys')
      stored = await writes()
      if (done <= REQUESTS / 4) heapBefore = heapUsed()
    }
    expectFlat(heapBefore, `${REQUESTS} requests: ${JSON.stringify(Object.fromEntries(statuses))}`)
    const seen = [...statuses].filter(([, count]) => count > REQUESTS / 5000).map(([status]) => status)
    expect(seen).toEqual(expect.arrayContaining([200, 201, 400, 404, 409]))
  },
)

const SAVE = JSON.stringify({ access_token: 't', provider: 'nowhere' })
const chunk = (text: string, size = text.length.toString(16)) => `${size}\r\n${text}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked'
const JSON_TYPE = 'Content-Type: application/json'

/** What no client would send, of a token that could be stored otherwise: header lines, and a body. */
const RAW: ((random: () => number) => [lines: string[], body: string])[] = [
  (random) => [[JSON_TYPE, lengthOf(SAVE), `${pick(SINGLE_HEADERS, random)}: x`], SAVE],
  (random) => [[`Content-Type: ${pick(OTHER_TYPES, random)}`, lengthOf(SAVE)], SAVE],
  (random) => [[JSON_TYPE, CHUNKED], chunk(SAVE, pick(BAD_SIZES, random)) + chunk('')],
  () => [[JSON_TYPE, CHUNKED], chunk(SAVE)],
  () => [[JSON_TYPE, CHUNKED, CHUNKED], chunk(SAVE.repeat(2)) + chunk('')],
  () => [[JSON_TYPE, CHUNKED, lengthOf(SAVE)], SAVE],
  (random) => [[JSON_TYPE, `Transfer-Encoding: ${pick(ENCODINGS, random)}`], chunk(SAVE) + chunk('')],
  (random) => withLength(pick(['[', '{"a":', '[{"a":'], random).repeat(1 + Math.floor(random() * 10_000))),
  (random) => withLength(nestedText(1 + Math.floor(random() * 8_000))),
  () => withLength(SAVE.repeat(35)),
  () => withLength(`[${Array.from({ length: 35 }).fill(SAVE).join(',')}]`),
  () => withLength(`{"access_token":${JSON.stringify(SAVE.repeat(35))},"id":[${SAVE}]}`),
  (random) => withLength(SAVE.replace('{', `{"access_token":${pick(DISCARDED, random)},`)),
  (random) => withLength(spoilt(SAVE, random)),
  (random) => [[JSON_TYPE, `Content-Length: ${pick(['-1', '1e1', '0x10', '5, 6', '999'], random)}`], SAVE],
  () => [[JSON_TYPE, lengthOf('x'.repeat(70_000))], 'x'.repeat(70_000)],
]
const DISCARDED = ['"other"', 'null', '{}', '[[{"a":"}:"}]]', '{"access_token":{}}']
const SINGLE_HEADERS = ['Authorization', 'Content-Type', 'Content-Length', 'Host', 'If-Match']
const OTHER_TYPES = [
  ...['text/plain', 'application/jsonx', 'application/json, text/plain', 'application/x-www-form-urlencoded'],
  ...['multipart/form-data; boundary=x', 'application/problem+json', '', 'application', '/', '*/*', 'json'],
  ...['text/plain; application/json', 'application /json', 'application/json/x', '\u00e4/json'],
]
const BAD_SIZES = ['zz', '-1', '0x20', 'ffffffffffffffffff', '5', 'fff', '', ' ']
const ENCODINGS = [
  'gzip, chunked',
  'chunked, chunked',
  'identity',
  'chunkedx',
  'chunked, gzip',
  '\tchunked x',
]

const lengthOf = (body: string) => `Content-Length: ${Buffer.byteLength(body)}`
const withLength = (body: string): [string[], string] => [[JSON_TYPE, lengthOf(body)], body]
const nestedText = (depth: number) => `${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`
const pick = <Item>(items: readonly Item[], random: () => number) =>
  items[Math.floor(random() * items.length)] as Item

/** A byte that is no JSON there, wherever it stands. */
function spoilt(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length)
  return `${text.slice(0, at)}\u0001${text.slice(at + 1)}`
}

test('no bytes on a socket break the service, nor store a token', { timeout: TIME_MS }, async () => {
  const random = createRandom(SEED)
  const before = await writes()
  let heapBefore = 0
  for (let done = 0; done < RAW_REQUESTS; done += 1) {
    const [lines, body] = pick(RAW, random)(random)
    const start = ['POST /v1/tokens HTTP/1.1', `Authorization: Bearer ${vault.key}`]
    const request = rawRequest([...start, ...lines], body)
    const answer = await sendRaw(vault.url, request, true)
    const told = `FUZZ_SEED=${SEED}: ${answer} to ${request.slice(0, 1000)}`
    const { status, head, body: problem } = parseRaw(answer)
    expect(await writes(), `${told} stored something`).toBe(before)
    if (done === Math.floor(RAW_REQUESTS / 4)) heapBefore = heapUsed()
    if (answer === '') continue
    expect([400, 408, 413, 415, 431], told).toContain(status)
    judge({ status, headers: { 'content-type': typeIn(head) }, text: JSON.stringify(problem) }, 'POST', told)
  }
  expectFlat(heapBefore, `${RAW_REQUESTS} raw requests`)
  expect((await vault.call('GET', '/readyz')).status).toBe(200)
})

const typeIn = (head: string) => /^content-type: (\S+)/im.exec(head)?.[1]

import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ErrorFacts } from '../../src/domain/errors.ts'
import { VaultError } from '../../src/domain/errors.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { createTestApp } from '../support/app.ts'

let app: FastifyInstance
let thrown: Error

beforeAll(async () => {
  app = await createTestApp({ get: () => Promise.reject(thrown) })
})

afterAll(() => app.close())

async function answerTo(error: Error) {
  thrown = error
  return app.inject({ url: '/v1/tokens/a', headers: { authorization: 'Bearer tokens:list' } })
}

/** The contract's table of errors. */
const TABLE: [status: number, ...codes: string[]][] = [
  [400, 'invalid_request', 'no_criterion'],
  [401, 'unauthorized'],
  [403, 'insufficient_scope'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [409, 'ambiguous_match', 'conflict', 'reauth_required', 'not_refreshable'],
  [412, 'version_mismatch'],
  [413, 'payload_too_large'],
  [415, 'unsupported_media_type'],
  [422, 'nothing_to_store', 'grant_refused'],
  [429, 'rate_limited'],
  [500, 'internal_error'],
  [502, 'provider_error', 'client_refused'],
  [503, 'provider_throttled', 'provider_unavailable', 'storage_unavailable'],
]

test('each code has the status of the contract', () => {
  const statuses = TABLE.flatMap(([status, ...codes]) => codes.map((code) => [code, status]))
  expect(Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]))).toEqual(
    Object.fromEntries(statuses),
  )
})

test('docs/errors.md has each code, once, with its status', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| (\d+) +\| `(.*?)` /gm)].map(([, status, code]) => `${code} ${status}`)
  const codes = Object.entries(PROBLEMS).map(([code, { status }]) => `${code} ${status}`)
  expect(rows.sort()).toEqual(codes.sort())
})

test('an error of the vault is a problem document with all its facts', async () => {
  const facts: ErrorFacts = {
    matches: ['a', 'b'],
    tokenId: 'c',
    errors: [{ pointer: '/x', detail: 'is wrong' }],
  }
  const answer = await answerTo(new VaultError('conflict', 'A conflict.', facts))
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.json()).toEqual({
    type: 'urn:token-vault:problem:conflict',
    title: 'The identity belongs to another token',
    status: 409,
    detail: 'A conflict.',
    code: 'conflict',
    request_id: answer.headers['x-request-id'],
    errors: [{ pointer: '/x', detail: 'is wrong' }],
    matches: ['a', 'b'],
    token_id: 'c',
  })
})

test.each(['provider_throttled', 'provider_unavailable', 'storage_unavailable'] as const)(
  '%s says when to come again',
  async (code) => {
    const answer = await answerTo(new VaultError(code, 'Not now.', { retryAfterSeconds: 7 }))
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '7'])
  },
)

test('a fault of ours says nothing of what went wrong', async () => {
  const answer = await answerTo(new Error('select secret from tokens'))
  expect(answer.json()).toMatchObject({
    status: 500,
    code: 'internal_error',
    request_id: answer.headers['x-request-id'],
  })
  expect(answer.payload).not.toMatch(/select|secret/)
})

test('a fault of ours with a status of its own is one all the same', async () => {
  const answer = await answerTo(Object.assign(new Error('teapot'), { statusCode: 418 }))
  expect(answer.json()).toMatchObject({ status: 500, code: 'internal_error' })
})

import { describe, expect, test } from 'vitest'
import { classifyRevocation } from '../../src/providers/classify-revocation.ts'

const outcomeOf = (status: number, body: string, retryAfter: string | null = null) =>
  classifyRevocation({ status, body, retryAfter }, new Date(0))
const error = (code: string) => JSON.stringify({ error: code })

describe('an answer to a revocation', () => {
  test.each([
    [200, ''],
    [204, ''],
    [200, '{}'],
    [200, '{"status":"success"}'],
    [200, 'OK'],
  ])('%i %s means revoked', (status, body) => {
    expect(outcomeOf(status, body)).toEqual({ kind: 'revoked', answer: 'ok' })
  })

  test.each([
    [400, 'invalid_token'],
    [400, 'invalid_code'],
    [200, 'invalid_code'],
    [400, 'invalid_grant'],
    [400, 'token_revoked'],
  ])('%i %s means that there is nothing left to revoke', (status, code) => {
    expect(outcomeOf(status, error(code))).toEqual({ kind: 'revoked', answer: code })
  })

  test.each([
    [401, error('invalid_client'), 'client_refused', 'invalid_client'],
    [200, error('invalid_client'), 'client_refused', 'invalid_client'],
    [400, error('unsupported_token_type'), 'nonsense', 'unsupported_token_type'],
    [403, '{}', 'nonsense', 'http_403'],
    [404, '', 'nonsense', 'http_404'],
    [200, '<html>looked after</html>', 'nonsense', 'not_json'],
    [500, '', 'unavailable', 'http_500'],
    [503, error('temporarily_unavailable'), 'unavailable', 'temporarily_unavailable'],
    [400, error('Access Denied'), 'throttled', 'Access Denied'],
    [429, error('invalid_token'), 'throttled', 'invalid_token'],
    [400, error('1000.8f3a2b1c9d7e6f5a4b3c2d1e0f9a8b7c'), 'nonsense', 'unknown_error'],
  ])('%i %s means no revocation: %s', (status, body, kind, code) => {
    expect(outcomeOf(status, body)).toMatchObject({ kind, error: code })
  })

  test.each([
    [429, 'throttled'],
    [503, 'unavailable'],
  ])('of %i that says when to come again is heard', (status, kind) => {
    expect(outcomeOf(status, '', '17')).toMatchObject({ kind, retryAfterSeconds: 17 })
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RefreshOutcome } from '../../src/domain/provider.ts'
import { classifyAnswer } from '../../src/providers/classify-answer.ts'

const NOW = new Date('2026-01-02T03:04:05.000Z')

/** The outcome with its secrets in clear. */
function judged(body: unknown, status = 200, retryAfter: string | null = null) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return inClear(classifyAnswer({ status, retryAfter, body: text }, NOW))
}

function inClear(outcome: RefreshOutcome) {
  if (outcome.kind !== 'renewed') return outcome
  return {
    ...outcome,
    accessToken: outcome.accessToken.reveal(),
    refreshToken: outcome.refreshToken?.reveal() ?? null,
  }
}

const BARE = {
  kind: 'renewed',
  accessToken: 'a',
  expiresInSeconds: null,
  refreshToken: null,
  tokenType: null,
  scope: null,
  apiDomain: null,
}
const LIFE_OF_60 = { expiresInSeconds: 60 }

describe('a success', () => {
  test.each([
    [
      'of Zoho',
      { access_token: 'a', api_domain: 'https://www.zohoapis.com', token_type: 'Bearer', expires_in: 3600 },
      { apiDomain: 'https://www.zohoapis.com', tokenType: 'Bearer', expiresInSeconds: 3600 },
    ],
    [
      'of Zoho with a scope and a refresh token',
      { access_token: 'a', refresh_token: 'r', scope: 'ZohoCRM.modules.ALL', expires_in: 3600 },
      { refreshToken: 'r', scope: 'ZohoCRM.modules.ALL', expiresInSeconds: 3600 },
    ],
    [
      'of Zoho with its life in milliseconds',
      { access_token: 'a', expires_in: 3_600_000, expires_in_sec: 3600 },
      { expiresInSeconds: 3600 },
    ],
    [
      'of Zoho with milliseconds beside seconds that make no sense',
      { access_token: 'a', expires_in: 3_600_000, expires_in_sec: 'soon' },
      { expiresInSeconds: 3600 },
    ],
    ['with one life that is none', { access_token: 'a', expires_in: 60, expires_in_sec: null }, LIFE_OF_60],
    ['without an expiry', { access_token: 'a' }, {}],
    [
      'with its life in seconds as text',
      { access_token: 'a', expires_in: '3600000', expires_in_sec: '3600' },
      { expiresInSeconds: 3600 },
    ],
    ['with an expiry as text', { access_token: 'a', expires_in: '3600' }, { expiresInSeconds: 3600 }],
    ['with a fraction of a second', { access_token: 'a', expires_in: 3599.9 }, { expiresInSeconds: 3599 }],
    ['without a token type', { access_token: 'a', expires_in: 60 }, LIFE_OF_60],
    [
      'with empty fields',
      { access_token: 'a', refresh_token: ' ', scope: '', error: '', token_type: null },
      {},
    ],
    [
      'of Slack',
      {
        ok: true,
        access_token: 'a',
        refresh_token: 'r',
        token_type: 'bot',
        expires_in: 43_200,
        team: { id: 'T' },
      },
      { refreshToken: 'r', tokenType: 'bot', expiresInSeconds: 43_200 },
    ],
    [
      'of GitHub in form encoding',
      'access_token=a&expires_in=28800&refresh_token=r%2B&refresh_token_expires_in=15897600&scope=&token_type=bearer\r\n',
      { refreshToken: 'r+', tokenType: 'bearer', expiresInSeconds: 28_800 },
    ],
  ])('%s is read', (_, body, expected) => {
    expect(judged(body)).toEqual({ ...BARE, ...expected })
  })

  test.each([-1, 0, 0.5, NaN, Infinity, 1e20, '', '-5', '1e3', 'soon', '0x10', null, true, [], {}])(
    'has an unknown expiry where expires_in is %j',
    (expiresIn) => {
      expect(judged({ access_token: 'a', expires_in: expiresIn })).toEqual(BARE)
    },
  )

  test.each([
    ['a list of scopes', { scope: ['a', 'b'] }],
    ['a scope over its limit', { scope: 'x'.repeat(1025) }],
    ['a control character in the scope', { scope: 'a\u0000b' }],
    ['a token type that is a number', { token_type: 5 }],
    ['an API domain with a path', { api_domain: 'https://www.zohoapis.com/crm' }],
    ['an API domain with a trailing slash', { api_domain: 'https://www.zohoapis.com/' }],
    ['an API domain without encryption', { api_domain: 'http://www.zohoapis.com' }],
    ['an API domain that is none', { api_domain: 'zohoapis' }],
  ])('keeps its tokens and leaves out %s', (_, fields) => {
    expect(judged({ access_token: 'a', ...fields })).toEqual(BARE)
  })

  test('takes tokens up to their limit, whatever they are made of', () => {
    const [access, refresh] = ['é✓'.repeat(8192), 'r'.repeat(16_384)]
    const outcome = judged({ access_token: access, refresh_token: refresh })
    expect(outcome).toMatchObject({ accessToken: access, refreshToken: refresh })
  })
})

describe('a refusal', () => {
  test.each([
    ['Zoho', 200, { error: 'invalid_code' }],
    ['RFC 6749', 400, { error: 'invalid_grant', error_description: 'expired' }],
    ['Atlassian', 403, { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' }],
    [
      'Atlassian of old',
      403,
      { error: 'unauthorized_client', error_description: 'refresh_token is invalid' },
    ],
    ['GitHub', 200, { error: 'bad_refresh_token' }],
    [
      'GitHub in form encoding',
      200,
      'error=bad_refresh_token&error_description=The+refresh+token+is+incorrect.',
    ],
    ['Slack', 200, { ok: false, error: 'invalid_refresh_token' }],
    ['Microsoft', 400, { error: 'interaction_required', error_codes: [50_076] }],
    ['capital letters', 400, { error: 'INVALID_GRANT' }],
  ])('for good, as %s says it, is dead', (_, status, body) => {
    expect(judged(body, status).kind).toBe('dead')
  })

  test.each([
    ['invalid_client', 200, 'client_refused'],
    ['invalid_client_secret', 200, 'client_refused'],
    ['invalid_redirect_uri', 200, 'misconfigured'],
    ['invalid_client', 401, 'client_refused'],
    ['unauthorized_client', 400, 'client_refused'],
    ['unsupported_grant_type', 400, 'misconfigured'],
    ['invalid_scope', 400, 'misconfigured'],
    ['invalid_request', 400, 'misconfigured'],
    ['incorrect_client_credentials', 200, 'client_refused'],
    ['bad_client_secret', 200, 'client_refused'],
    ['invalid_client_id', 400, 'client_refused'],
  ])('by our own fault is of the client, or of the request: %s with %i', (error, status, kind) => {
    expect(judged({ error }, status)).toEqual({ kind, error })
  })

  test.each([200, 400])('of too many requests is throttled, as Zoho says it with %i', (status) => {
    const body = {
      error: 'Access Denied',
      error_description: 'You have made too many requests continuously. Please try again after some time.',
      status: 'failure',
    }
    expect(judged(body, status)).toEqual({
      kind: 'throttled',
      error: 'Access Denied',
      retryAfterSeconds: null,
    })
  })

  test.each([
    ['429 alone', 429, '', 'http_429'],
    ['429 and a page', 429, '<html>Slow down</html>', 'http_429'],
    ['429, whatever the body', 429, { error: 'invalid_grant' }, 'invalid_grant'],
    ['slow_down', 400, { error: 'slow_down' }, 'slow_down'],
    ['the word of Slack', 200, { ok: false, error: 'ratelimited' }, 'ratelimited'],
  ])('of too many requests is throttled: %s', (_, status, body, error) => {
    expect(judged(body, status)).toEqual({ kind: 'throttled', error, retryAfterSeconds: null })
  })

  test.each([
    ['30', 30],
    [' 30 ', 30],
    ['Fri, 02 Jan 2026 03:05:05 GMT', 60],
    ['Friday, 02-Jan-26 03:05:05 GMT', 60],
    ['99999999999', 86_400],
    ['0', null],
    ['-5', null],
    ['1.5', null],
    ['Fri, 02 Jan 2026 03:04:04 GMT', null],
    ['soon', null],
    ['GMT', null],
    ['', null],
  ])('with Retry-After %j waits %j seconds', (header, retryAfterSeconds) => {
    expect(judged({}, 429, header)).toEqual({ kind: 'throttled', error: 'http_429', retryAfterSeconds })
    const down = judged({}, 503, header)
    expect('retryAfterSeconds' in down ? down.retryAfterSeconds : null).toBe(retryAfterSeconds)
  })
})

describe('trouble of the provider', () => {
  test.each([
    ['a page', 503, '<html></html>', 'http_503'],
    ['nothing', 500, '', 'http_500'],
    ['a token from a gateway', 502, { access_token: 'a' }, 'http_502'],
    ['a refusal', 500, { error: 'invalid_grant' }, 'invalid_grant'],
    ['its own code', 200, { error: 'server_error' }, 'server_error'],
    ['the code of Slack', 200, { ok: false, error: 'internal_error' }, 'internal_error'],
  ])('passes: %s with %i', (_, status, body, error) => {
    expect(judged(body, status)).toMatchObject({ kind: 'unavailable', error, sent: true })
  })

  test.each([
    ['a page', '<html>Welcome</html>', 200, 'not_json'],
    ['a page with 404', '<html>Not found</html>', 404, 'not_json'],
    ['nothing', '', 204, 'not_json'],
    ['an array', [], 200, 'not_json'],
    ['null', 'null', 200, 'not_json'],
    ['half a document', '{"access_token":"a', 200, 'not_json'],
    ['prose with an equals sign', 'access_token = a', 200, 'not_json'],
    ['a form of something else', 'a=b', 200, 'not_json'],
    ['no token', {}, 200, 'no_access_token'],
    ['an empty token', { access_token: '' }, 200, 'no_access_token'],
    ['a refusal without a reason', { ok: false }, 200, 'no_access_token'],
    ['a token that is a number', { access_token: 5 }, 200, 'malformed_access_token'],
    ['a token over its limit', { access_token: 'x'.repeat(16_385) }, 200, 'malformed_access_token'],
    ['a token with a control character', { access_token: 'a\u0000' }, 200, 'malformed_access_token'],
    ['a token with a lone surrogate', '{"access_token":"\\ud800"}', 200, 'malformed_access_token'],
    [
      'a refresh token that is an object',
      { access_token: 'a', refresh_token: {} },
      200,
      'malformed_refresh_token',
    ],
    ['a broken refresh token', { access_token: 'a', refresh_token: 'r\n' }, 200, 'malformed_refresh_token'],
    ['a token with a failure', { access_token: 'a' }, 404, 'http_404'],
  ])('makes no sense: %s', (_, body, status, error) => {
    expect(judged(body, status)).toMatchObject({ kind: 'nonsense', error })
  })

  test.each([
    ['an unknown code', { error: 'general_error' }, 400, 'general_error'],
    ['an unknown code beside a token', { error: 'odd', access_token: 'a' }, 200, 'odd'],
    ['an error that is an object', { error: { message: 'no' } }, 400, 'unknown_error'],
    ['access_denied, which is not throttling', { error: 'access_denied' }, 403, 'access_denied'],
    ['prose for a code', { error: 'The token 1000.ab/cd is bad' }, 400, 'unknown_error'],
    ['a token for a code', { error: '5f4dcc3b5aa765d61d8327deb882cf99' }, 400, 'unknown_error'],
  ])('is an error that nobody knows, by which nothing was replaced: %s', (_, body, status, error) => {
    expect(judged(body, status)).toEqual({ kind: 'nonsense', error, failed: true })
  })
})

describe('whatever comes', () => {
  const word = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 41, maxLength: 90 }))
  const fields = fc.record(
    {
      error: fc.oneof(word, fc.json()),
      error_description: word,
      access_token: word,
      expires_in: fc.double(),
    },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    word,
    fc.json(),
    fields.map((value) => JSON.stringify(value)),
  )
  const status = fc.oneof(fc.constantFrom(200, 400, 401, 429, 500, 503), fc.integer())

  test('an error is a code of the body or a word of ours, and nothing throws', () => {
    const ours =
      /^(http_-?\d+|not_json|refused|unknown_error|no_access_token|malformed_(access|refresh)_token)$/
    fc.assert(
      fc.property(status, fc.option(word), body, (code, retryAfter, text) => {
        const outcome = classifyAnswer({ status: code, retryAfter, body: text }, NOW)
        if (outcome.kind === 'renewed') return
        expect(outcome.error).toMatch(/^[A-Za-z0-9_. -]{1,40}$/)
        if (!ours.test(outcome.error)) expect(errorOf(text)).toBe(outcome.error)
      }),
    )
  })

  test('no description reaches the outcome', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), fc.constantFrom('invalid_grant', 'odd'), (prose, error) => {
        const text = JSON.stringify({ error, error_description: `#${prose}` })
        expect(JSON.stringify(judged(text))).not.toContain(`#${prose}`)
      }),
    )
  })
})

function errorOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { error?: unknown }).error
  } catch {
    return new URLSearchParams(text).get('error')
  }
}

import { expect, test } from 'vitest'
import { classifyAnswer } from '../../src/providers/classify-answer.ts'

const judged = (body: string) => classifyAnswer({ status: 200, retryAfter: null, body }, new Date())

test('a form with a blank that should have been encoded keeps its tokens', () => {
  const outcome = judged('scope=repo, user&access_token=a%20&refresh_token=r&token_type=bearer')
  if (outcome.kind !== 'renewed') expect.fail(outcome.error)
  expect(outcome).toMatchObject({ scope: 'repo, user', tokenType: 'bearer' })
  expect([outcome.accessToken.reveal(), outcome.refreshToken?.reveal()]).toEqual(['a ', 'r'])
})

test('and a refusal with one its code', () => {
  const body = 'error=bad_refresh_token&error_description=The refresh token is incorrect.'
  expect(judged(body)).toEqual({ kind: 'dead', error: 'bad_refresh_token' })
})

test.each([
  ['a page', '<a href="?a=b&access_token=a">a b</a>'],
  ['a page behind a name', 'scope=a b&access_token=a&page=<p>'],
  ['prose behind a token', 'access_token=a is your token'],
  ['prose before a token', 'scope=x y&your access_token=a'],
  ['prose behind a code', 'error=the server is busy'],
  ['an ampersand in prose', 'error=oops & access_token=a'],
  ['lines of settings', 'scope=x y\naccess_token=a'],
  ['a form of something else', 'scope=x y&a=b'],
])('%s is no form', (_, body) => {
  expect(judged(body)).toMatchObject({ kind: 'nonsense', error: 'not_json' })
})

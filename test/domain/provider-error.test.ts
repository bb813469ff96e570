import { expect, test } from 'vitest'
import { providerError } from '../../src/domain/provider-error.ts'
import { ZOHO } from '../support/domain.ts'

test.each([
  ['as it asks', 120, 120],
  ['soon, where it does not say', undefined, 2],
])('a caller whose provider is away is told when to come again: %s', (_when, retryAfterSeconds, told) => {
  const outcome = {
    kind: 'unavailable' as const,
    error: 'http_503',
    sent: true,
    ...(retryAfterSeconds && { retryAfterSeconds }),
  }
  expect(providerError('The exchange failed', outcome, ZOHO).facts).toMatchObject({ retryAfterSeconds: told })
})

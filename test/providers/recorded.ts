import type { RefreshRequest } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { FormPost } from '../../src/providers/form-sender.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import type { Reply } from '../../src/providers/read-answer.ts'

const NOW = new Date('2026-01-02T03:04:05.000Z')
export const ACME = {
  name: 'acme',
  token_url: 'https://login.acme.example/token',
  client_auth: 'basic',
  timeout: 20,
}

export function refreshOf(overrides: Partial<RefreshRequest> = {}): RefreshRequest {
  return {
    provider: 'zoho',
    clientId: 'client',
    clientSecret: new Secret('secret'),
    refreshToken: new Secret('refresh'),
    apiDomain: null,
    cannotWait: false,
    sendBeforeMs: performance.now() + 5000,
    ...overrides,
  }
}

/** The providers over a sender that only notes down what it is to send. */
export function over(reply: Reply) {
  const posts: FormPost[] = []
  const send = (post: FormPost) => {
    posts.push(post)
    return Promise.resolve(reply)
  }
  const providers = createProviders(loadProviders({ providers: [ACME] }), { send, now: () => NOW })
  return { posts, providers }
}

export const answered = (body: object, retryAfter: string | null = null): Reply => ({
  kind: 'answered',
  status: 200,
  retryAfter,
  body: JSON.stringify(body),
})

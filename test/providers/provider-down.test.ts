import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import type { Reply } from '../../src/providers/read-answer.ts'
import { ACME, answered, over, refreshOf } from './recorded.ts'

describe('a provider that is down', () => {
  const DOWN: Reply = { kind: 'failed', error: 'ECONNREFUSED', sent: false }
  /** Until the probe, of which it is told when that will be. */
  const heldBack = (retryAfterSeconds: number) => ({
    kind: 'unavailable',
    error: 'breaker_open',
    sent: false,
    retryAfterSeconds,
  })
  const of = (token: number) => refreshOf({ refreshToken: new Secret(`refresh ${token}`) })

  /** Providers whose hosts are down as long as they are in the set, with a clock of their own. */
  function downAt(...hosts: string[]) {
    const down = new Set(hosts)
    const clock = { ms: 0 }
    const sent: string[] = []
    const told: unknown[] = []
    const note = (word: string) => (of: object) => told.push([word, of])
    const providers = createProviders(loadProviders({ providers: [ACME] }), {
      send({ url }) {
        const { host } = new URL(url)
        sent.push(host)
        return Promise.resolve(down.has(host) ? DOWN : answered({ access_token: 'a' }))
      },
      observer: {
        breakerOpened: note('opened'),
        breakerClosed: note('closed'),
        addressRefused: note('refused'),
      },
      monotonicMs: () => clock.ms,
      random: () => 0,
    })
    return { providers, down, clock, sent, told }
  }

  test('is asked no more after ten failures of several tokens, until a probe is answered', async () => {
    const { providers, down, clock, sent, told } = downAt('accounts.zoho.com')
    for (let i = 0; i < 10; i += 1) {
      expect(await providers.refresh(of(i))).toEqual({
        kind: 'unavailable',
        error: 'ECONNREFUSED',
        sent: false,
      })
    }
    expect(await providers.refresh(of(11))).toEqual(heldBack(5))
    expect(sent).toHaveLength(10)
    const name = { provider: 'zoho', host: 'accounts.zoho.com' }
    expect(told).toEqual([['opened', name]])
    clock.ms = 5000
    down.clear()
    const [probe, other] = await Promise.all([providers.refresh(of(1)), providers.refresh(of(2))])
    expect([probe.kind, other]).toEqual(['renewed', heldBack(1)])
    expect(told).toEqual([
      ['opened', name],
      ['closed', name],
    ])
    expect(await providers.refresh(of(2))).toMatchObject({ kind: 'renewed' })
  })

  test('is asked by a request that cannot wait, and by all others once it has answered that', async () => {
    const { providers, down, sent } = downAt('accounts.zoho.com')
    for (let i = 0; i < 10; i += 1) await providers.refresh(of(i))
    const replay = { ...of(1), cannotWait: true }
    expect(await providers.refresh(replay)).toMatchObject({ error: 'ECONNREFUSED' })
    expect(await providers.refresh(of(2))).toEqual(heldBack(5))
    down.clear()
    expect(await providers.refresh(replay)).toMatchObject({ kind: 'renewed' })
    expect(await providers.refresh(of(2))).toMatchObject({ kind: 'renewed' })
    expect(sent).toHaveLength(13)
  })

  test('holds back no other provider, and no other data centre', async () => {
    const { providers } = downAt('accounts.zoho.com')
    for (let i = 0; i < 20; i += 1) await providers.refresh(of(i))
    const elsewhere = { ...of(1), apiDomain: 'https://www.zohoapis.eu' }
    expect(await providers.refresh(elsewhere)).toMatchObject({ kind: 'renewed' })
    expect(await providers.refresh({ ...of(1), provider: 'acme' })).toMatchObject({ kind: 'renewed' })
    expect(await providers.refresh(of(1))).toEqual(heldBack(5))
  })

  test('is left alone but for its probe, and is not while another data centre of it answers', async () => {
    const { providers, clock, down } = downAt('accounts.zoho.com')
    expect(providers.leftAlone('zoho')).toBeNull()
    for (let i = 0; i < 10; i += 1) await providers.refresh(of(i))
    expect(providers.leftAlone('zoho')).toEqual({ probes: 0, retryAfterSeconds: 5 })
    expect(['acme', 'unknown'].map((name) => providers.leftAlone(name))).toEqual([null, null])
    clock.ms = 5000
    expect(providers.leftAlone('zoho')).toEqual({ probes: 1, retryAfterSeconds: 1 })
    const probe = providers.refresh(of(1))
    expect(providers.leftAlone('zoho')).toEqual({ probes: 0, retryAfterSeconds: 1 })
    await probe
    expect(providers.leftAlone('zoho')).toEqual({ probes: 0, retryAfterSeconds: 10 })
    await providers.refresh({ ...of(1), apiDomain: 'https://www.zohoapis.eu' })
    expect(providers.leftAlone('zoho')).toBeNull()
    down.add('accounts.zoho.eu')
    for (let i = 0; i < 10; i += 1)
      await providers.refresh({ ...of(i), apiDomain: 'https://www.zohoapis.eu' })
    clock.ms = 15_000
    expect(providers.leftAlone('zoho')).toEqual({ probes: 2, retryAfterSeconds: 1 })
    down.clear()
    await providers.refresh(of(1))
    expect(providers.leftAlone('zoho')).toBeNull()
  })

  test('is asked on where one token alone fails', async () => {
    const { providers, sent } = downAt('accounts.zoho.com')
    for (let i = 0; i < 30; i += 1) await providers.refresh(of(1))
    expect(sent).toHaveLength(30)
  })

  test.each([
    ['a time limit of ours', { kind: 'failed', error: 'too_late', sent: false }],
    ['a secret that does not open', { kind: 'failed', error: 'secret_unreadable', sent: false }],
    ['an address that is refused', { kind: 'failed', error: 'address_not_allowed', sent: false }],
    ['a refusal', answered({ error: 'invalid_client' })],
    ['nonsense', { kind: 'unreadable', error: 'answer_encoded' }],
  ] as const)('is not what %s means', async (_, reply) => {
    const { posts, providers } = over(reply)
    for (let i = 0; i < 30; i += 1) await providers.refresh(of(i))
    expect(posts).toHaveLength(30)
  })

  test.each([502, 504])('whose gateway answers %i has perhaps done what it was asked', async (status) => {
    const { providers } = over({ kind: 'answered', status, retryAfter: null, body: '' })
    expect(await providers.refresh(of(0))).toEqual({
      kind: 'unavailable',
      error: `http_${status}`,
      sent: true,
    })
  })

  test('is one that answers with 5xx too', async () => {
    const { posts, providers } = over({ kind: 'answered', status: 503, retryAfter: '7', body: '' })
    expect(await providers.refresh(of(0))).toEqual({
      kind: 'unavailable',
      error: 'http_503',
      sent: true,
      failed: true,
      retryAfterSeconds: 7,
    })
    for (let i = 1; i < 30; i += 1) await providers.refresh(of(i))
    expect(posts).toHaveLength(10)
  })
})

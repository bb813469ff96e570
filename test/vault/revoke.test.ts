import { describe, expect, test } from 'vitest'
import type { Event } from '../../src/contract/events.ts'
import type { Scope } from '../../src/domain/caller.ts'
import { storageUnavailable } from '../../src/domain/errors.ts'
import type { Providers } from '../../src/domain/provider.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import { revokeToken } from '../../src/vault/revoke-token.ts'
import { NOON, tokenOf } from '../support/domain.ts'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ acme: { rotates: 'always', min_interval: 0 } })
const soon = { timeout: 10_000 }

const revoke = (id: string, headers = {}) =>
  world.vault.call('POST', `/v1/tokens/${id}/revoke`, undefined, headers)
const sent = () => world.zoho.calls.filter(({ kind }) => kind === 'revoke')
const isLive = (refreshToken = '') => world.zoho.grants.isLive(refreshToken)
async function events(id: string): Promise<Event[]> {
  const { body } = await world.vault.call('GET', `/v1/tokens/${id}/events`)
  return (body as { events: Event[] }).events
}
const isThere = async (id: string) => (await world.vault.call('GET', `/v1/tokens/${id}`)).status === 200

describe('a revocation', () => {
  test("revokes the refresh token in the provider's own form, deletes the token and tells what was said", async () => {
    const { id, refresh_token } = await world.save(3600)
    expect(isLive(refresh_token)).toBe(true)
    expect((await revoke(id)).status).toBe(204)
    expect(isLive(refresh_token)).toBe(false)
    expect(sent()).toMatchObject([{ token: refresh_token, fields: ['token'] }])
    expect(await isThere(id)).toBe(false)
    expect(await events(id)).toMatchObject([
      { type: 'token.deleted' },
      { type: 'revocation.succeeded', outcome: 'ok', detail: { revoked: 'refresh_token', answer: 'ok' } },
      { type: 'revocation.started', detail: { revoked: 'refresh_token' } },
      { type: 'token.created' },
    ])
    expect((await revoke(id)).status).toBe(404)
  })

  test('sends the form of RFC 7009 with the client to a provider without quirks', async () => {
    const { id, refresh_token } = await world.save(3600, { provider: 'acme' })
    expect((await revoke(id)).status).toBe(204)
    const fields = ['token', 'token_type_hint', 'client_id', 'client_secret']
    expect(sent()).toMatchObject([{ token: refresh_token, fields }])
  })

  test('revokes the access token where there is no refresh token, and nothing where there is neither', async () => {
    const { body } = await world.vault.save({
      client_id: 'c',
      access_token: 'access',
      api_domain: world.zoho.url,
    })
    const grant = await world.vault.save({ client_id: 'd', grant_token: 'g', api_domain: world.zoho.url })
    expect((await revoke(body.id ?? '')).status).toBe(204)
    expect((await revoke(grant.body.id ?? '')).status).toBe(204)
    expect(sent()).toMatchObject([{ token: 'access' }])
  })

  test.each([
    ['Zoho', 'invalid_code'],
    ['others', { status: 400, body: '{"error":"invalid_token"}' }],
    ['others', { status: 400, body: '{"error":"invalid_grant"}' }],
    ['RFC 7009', { status: 200, body: '' }],
  ] as const)('of a token that is none any more, as %s say it, deletes it', async (_who, trouble) => {
    world.zoho.make(trouble, 'revoke')
    const { id } = await world.save(3600)
    expect((await revoke(id)).status).toBe(204)
    expect(await isThere(id)).toBe(false)
  })

  test.each([
    ['is down', 'server_error', 503, 'provider_unavailable'],
    ['hangs up', 'reset', 503, 'provider_unavailable'],
    ['is busy', { status: 429, body: '' }, 503, 'provider_throttled'],
    ['is busy, as Zoho says it', 'throttled_400', 503, 'provider_throttled'],
    ['refuses the client', { status: 401, body: '{"error":"invalid_client"}' }, 502, 'client_refused'],
    ['does not say why', { status: 403, body: '{}' }, 502, 'provider_error'],
    ['shows a page for people', 'not_json', 502, 'provider_error'],
    ['has moved', { status: 302, body: '' }, 502, 'provider_error'],
  ] as const)('by a provider that %s deletes nothing', async (_how, trouble, status, code) => {
    world.zoho.make(trouble, 'revoke', 1)
    const saved = await world.save(3600)
    const answer = await revoke(saved.id)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    if (status === 503) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await world.read(saved.id)).toMatchObject({ version: 1, refresh_token: saved.refresh_token })
    expect((await events(saved.id))[0]).toMatchObject({ type: 'revocation.failed', outcome: code })
    expect((await revoke(saved.id)).status).toBe(204)
  })

  test.each([
    ['has no endpoint for it', 'github'],
    ['nobody knows', 'nowhere'],
  ])('by a provider that %s is refused, and says to delete instead', async (_how, provider) => {
    const { body } = await world.vault.save({ provider, client_id: 'c', access_token: 't' })
    const answer = await revoke(body.id ?? '')
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
    expect(answer.body.detail).toContain('DELETE')
    expect(await isThere(body.id ?? '')).toBe(true)
  })

  test('happens only to the version that If-Match names, and sends nothing otherwise', async () => {
    const { id } = await world.save(3600)
    expect(await revoke(id, { 'if-match': '"2"' })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch' },
    })
    expect(sent()).toEqual([])
    expect((await revoke(id, { 'if-match': '"1"' })).status).toBe(204)
  })
})

const clock = { monotonicMs: () => 0, sleep: () => Promise.resolve() }
const caller = { namespaceId: 'n', keyId: 'key', scopes: new Set<Scope>() }

test('a token that changes with each try is not deleted: whatever it has by then was not revoked', async () => {
  let reads = 0
  const deletions: string[] = []
  const store = {
    get: () => {
      reads += 1
      const token = tokenOf({ id: 'a', clientId: 'c', refreshToken: `r-${reads}`, version: reads })
      return Promise.resolve({ token, now: NOON })
    },
    record: () => Promise.resolve(),
    deleteUntouched: () => Promise.resolve(false),
    delete: ({ id }: { id: string }) => Promise.resolve(deletions.push(id) > 0),
  } as unknown as TokenStore
  const providers = {
    revocation: () => () => Promise.resolve({ kind: 'revoked', answer: 'ok' }),
  } as unknown as Providers
  await expect(revokeToken({ store, providers, clock }, caller, 'a', 'any')).rejects.toMatchObject({
    code: 'storage_unavailable',
  })
  expect(reads).toBeGreaterThan(1)
  expect(deletions).toEqual([])
})

describe('the start of a revocation', () => {
  const token = tokenOf({ id: 'a', clientId: 'c', refreshToken: 'r' })
  const storeThat = (record: () => Promise<void>) =>
    ({
      get: () => Promise.resolve({ token, now: NOON }),
      record,
      deleteUntouched: () => Promise.resolve(true),
    }) as unknown as TokenStore
  const sending = () => {
    const sent: number[] = []
    const send = (sendBeforeMs: number) => {
      sent.push(sendBeforeMs)
      return Promise.resolve({ kind: 'revoked', answer: 'ok' })
    }
    return { sent, providers: { revocation: () => send } as unknown as Providers }
  }

  test('is stored before anything is sent, and where it cannot be nothing is', async () => {
    const store = storeThat(() => Promise.reject(storageUnavailable('The database takes no writes.')))
    const { sent, providers } = sending()
    await expect(revokeToken({ store, providers, clock }, caller, 'a', 'any')).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    expect(sent).toEqual([])
  })

  test('takes nothing from the time for sending, however long it takes to store', async () => {
    let nowMs = 0
    const store = storeThat(() => Promise.resolve(void (nowMs += 9_000)))
    const { sent, providers } = sending()
    const slow = { ...clock, monotonicMs: () => nowMs }
    await revokeToken({ store, providers, clock: slow }, caller, 'a', 'any')
    expect(sent).toEqual([19_000])
  })
})

describe('a revocation during a renewal', () => {
  test('waits for it, and revokes the refresh token that it brought', async () => {
    world.zoho.grants.policy.rotates = true
    world.zoho.make({ delayMs: 500 })
    const { id, refresh_token } = await world.save(0, { provider: 'acme' })
    const renewing = world.accessToken(id)
    await expect.poll(() => world.requests, soon).toBe(1)
    expect((await revoke(id)).status).toBe(204)
    expect((await renewing).status).toBe(200)
    const [call] = sent()
    expect(sent()).toHaveLength(1)
    expect(call?.token).not.toBe(refresh_token)
    expect(isLive(call?.token ?? '')).toBe(false)
  })

  test('that begins while it is under way revokes what that brings, too', async () => {
    world.zoho.grants.policy.rotates = true
    world.zoho.make({ delayMs: 500 }, 'revoke', 1)
    const { id } = await world.save(0, { provider: 'acme' })
    const revoking = revoke(id)
    await expect.poll(() => sent().length, soon).toBe(1)
    await world.accessToken(id)
    expect((await revoking).status).toBe(204)
    const tokens = sent().map(({ token }) => token ?? '')
    expect(tokens).toHaveLength(2)
    expect(tokens.some(isLive)).toBe(false)
    expect(await isThere(id)).toBe(false)
  })

  test('wins over it where it takes too long: the late answer is recorded and dropped', async () => {
    world.zoho.make({ delayMs: 6000 })
    const { id, refresh_token } = await world.save(0, { provider: 'acme' })
    const renewing = world.accessToken(id)
    await expect.poll(() => world.requests, soon).toBe(1)
    expect((await revoke(id)).status).toBe(204)
    expect(isLive(refresh_token)).toBe(false)
    expect((await renewing).status).toBe(404)
    const types = (await events(id)).map(({ type }) => type)
    expect(types).toEqual([
      'renewal.dropped',
      'token.deleted',
      'revocation.succeeded',
      'revocation.started',
      'renewal.claimed',
      'token.created',
    ])
  }, 30_000)
})

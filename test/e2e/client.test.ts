import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTokenVaultClient, TokenVaultError } from '../../clients/typescript/src/index.ts'
import { createWorld } from './zoho-world.ts'
import type { World } from './zoho-world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld(3600)
})

afterAll(async () => {
  await world.close()
})

async function errorOf(promise: Promise<unknown>): Promise<TokenVaultError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof TokenVaultError)) throw new Error('not a TokenVaultError', { cause: error })
  return error
}

async function idsOf(filter: { user_name?: string; limit?: number }): Promise<string[]> {
  const ids: string[] = []
  for await (const token of world.client.list(filter)) ids.push(token.id)
  return ids
}

describe('the client with a real vault', () => {
  test('saves, finds, gets, lists and deletes', async () => {
    const { client } = world
    const saved = await client.save({
      user_name: 'Ann',
      client_id: 'c1',
      access_token: 'a',
      expires_in: 3600,
    })
    expect(saved).toMatchObject({ user_name: 'Ann', access_token: 'a', version: 1 })
    expect(await client.find({ user_name: 'ann' }, { minTtl: 60 })).toMatchObject({ id: saved.id })
    expect(await client.get(saved.id)).toMatchObject({ access_token: 'a' })
    expect(await client.accessToken(saved.id)).toMatchObject({ id: saved.id, access_token: 'a' })
    expect(await client.accessToken({ user_name: 'ann' }, { minTtl: 5 })).toMatchObject({ id: saved.id })
    expect(await idsOf({ user_name: 'ann' })).toEqual([saved.id])
    expect(await client.delete(saved.id)).toBe(true)
    expect(await client.delete(saved.id)).toBe(false)
    expect(await client.get(saved.id)).toBeNull()
  })

  test('lists page after page and deletes by a filter', async () => {
    const { client } = world
    const many = Array.from({ length: 7 }, (_, at) => ({
      user_name: 'bob',
      client_id: `b${at}`,
      access_token: `b${at}`,
    }))
    const ids = await Promise.all(many.map(async (token) => (await client.save(token)).id))
    expect((await idsOf({ user_name: 'bob', limit: 2 })).sort()).toEqual(ids.sort())
    expect(await errorOf(client.find({ user_name: 'bob' }))).toMatchObject({
      status: 409,
      code: 'ambiguous_match',
    })
    expect((await errorOf(client.find({ user_name: 'bob' }))).matches?.sort()).toEqual(ids)
    expect(await client.deleteMany({ user_name: 'bob' })).toBe(7)
  })

  test('renews a token by force', async () => {
    const { client, zoho } = world
    const credentials = { client_id: zoho.client.id, client_secret: zoho.client.secret, api_domain: zoho.url }
    const { id } = await client.save({
      ...credentials,
      user_name: 'cleo',
      refresh_token: zoho.refreshToken(),
    })
    const renewed = await client.refresh(id)
    expect(zoho.grants.userOf(renewed.access_token ?? '')).toEqual(zoho.user)
  })

  test('trades a code once, and revokes what came of it', async () => {
    const { client, zoho } = world
    const code = {
      client_id: zoho.client.id,
      client_secret: zoho.client.secret,
      grant_token: zoho.grant(),
      redirect_url: 'https://app.example/back',
      user_name: 'gus',
      api_domain: zoho.url,
    }
    const token = await client.exchange(code)
    expect(token).toMatchObject({ user_name: 'gus', grant_token: code.grant_token, version: 1 })
    expect(await client.exchange(code)).toMatchObject({ id: token.id, access_token: token.access_token })
    expect(zoho.count('exchange')).toBe(1)
    expect(await errorOf(client.exchange({ ...code, grant_token: 'unknown' }))).toMatchObject({
      status: 422,
      code: 'grant_refused',
    })
    zoho.make('server_error', 'revoke', 1)
    expect(await errorOf(client.revoke(token.id))).toMatchObject({
      status: 503,
      code: 'provider_unavailable',
    })
    expect(zoho.grants.isLive(token.refresh_token ?? '')).toBe(true)
    await client.revoke(token.id)
    expect(zoho.grants.isLive(token.refresh_token ?? '')).toBe(false)
    expect(await client.get(token.id)).toBeNull()
    expect(await errorOf(client.revoke(token.id))).toMatchObject({ status: 404, code: 'not_found' })
  })

  test('saves under a condition', async () => {
    const { client } = world
    const { id, version } = await client.save({ user_name: 'dora', client_id: 'd', access_token: 'd' })
    await client.save({ id, scope: 'one' }, { ifMatch: version })
    expect(await errorOf(client.save({ id, scope: 'two' }, { ifMatch: version }))).toMatchObject({
      status: 412,
      code: 'version_mismatch',
    })
  })

  test('tells what the vault refuses, and why', async () => {
    const { client, settings } = world
    const owner = await client.save({ user_name: 'emil', client_id: 'e', refresh_token: 'e' })
    const conflict = await errorOf(client.save({ user_name: 'fay', client_id: 'e', refresh_token: 'e' }))
    expect(conflict).toMatchObject({ status: 409, code: 'conflict', tokenId: owner.id })
    expect(conflict.requestId).toMatch(/./)
    const invalid = await errorOf(client.save({ user_name: 'a\u0000b' }))
    expect(invalid).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ pointer: '/user_name' }],
    })
    expect(await errorOf(client.find({}))).toMatchObject({ status: 400, code: 'no_criterion' })
    expect(await errorOf(client.save({ user_name: 'x' }))).toMatchObject({
      status: 422,
      code: 'nothing_to_store',
    })
    const stranger = createTokenVaultClient({ url: settings.url, apiKey: `tv_stranger_${'x'.repeat(43)}` })
    expect(await errorOf(stranger.get(owner.id))).toMatchObject({ status: 401, code: 'unauthorized' })
  })

  test('tells a url whose path the vault does not have from a token that is not there', async () => {
    const { client, settings } = world
    const { id } = await client.save({ user_name: 'hal', client_id: 'h', access_token: 'h' })
    const url = `${settings.url}/vault`
    const lost = createTokenVaultClient({ url, apiKey: settings.apiKey })
    const calls = [
      lost.find({ user_name: 'hal' }),
      lost.get(id, { minTtl: 60 }),
      lost.delete(id),
      lost.revoke(id),
    ]
    for (const error of await Promise.all(calls.map(errorOf))) {
      expect(error).toMatchObject({ status: 404, code: 'invalid_answer' })
      expect(error.message).toMatch(new RegExp(`no route ${url}/v1/tokens/[a-z0-9/-]+: is the url right`))
    }
    expect(await client.delete(id)).toBe(true)
  })

  test('lives through a restart of the vault', async () => {
    await world.vault.stop()
    const answer = world.client.find({ user_name: 'nobody' })
    await world.startVault()
    expect(await answer).toBeNull()
  })
})

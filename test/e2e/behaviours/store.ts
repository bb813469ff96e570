import type { Stage } from '../zoho-stage.ts'
import { tokenOf } from '../zoho-sdks.ts'
import { nameOf } from '../zoho-world.ts'
import type { Behaviours } from './behaviour.ts'

const configuredBy = ({ world }: Stage) => ({
  clientId: world.zoho.client.id,
  clientSecret: world.zoho.client.secret,
})

/** How often the vault has shown a token, by its own audit log. */
export function readsOf({ world }: Stage, id: string): number {
  const lines = world.vault.output().split('\n')
  return lines.filter((line) => line.includes('"token.disclosed"') && line.includes(id)).length
}

/** What the SDK, or the application itself, asks of the store. */
export const storeBehaviours: Behaviours = {
  async 'merge-and-return'(stage) {
    const { expect, sdk } = stage
    const saved = await stage.saved(stage.person('ann'))
    const old = { grantToken: 'an old grant token', refreshToken: 'an old refresh token' }
    const token = tokenOf(sdk, { user: saved.user_name, ...configuredBy(stage), ...old })
    token.setAccessToken('an old access token')
    token.setExpiresIn('1')
    expect(await stage.store().findToken(token)).toBe(token)
    expect(token.getId()).toBe(saved.id)
    expect(token.getUserSignature()?.getName()).toBe(saved.user_name)
    expect(token.getAccessToken()).toBe(saved.access_token)
    expect(token.getRefreshToken()).toBe(saved.refresh_token)
    expect(token.getGrantToken()).toBe(saved.grant_token)
    expect(token.getClientSecret()).toBe(saved.client_secret)
    expect(token.getRedirectURL()).toBe(saved.redirect_url)
    expect(token.getAPIDomain()).toBe(saved.api_domain)
    expect(Number(token.getExpiresIn())).toBeGreaterThan(Date.now())
  },

  async 'id-on-save'(stage) {
    const { expect, sdk, world } = stage
    const user = nameOf(stage.person('ann'))
    const refreshToken = world.zoho.refreshToken(stage.person('ann'))
    const token = tokenOf(sdk, { user, ...configuredBy(stage), refreshToken })
    await stage.store().saveToken(token)
    expect(await stage.client.find({ user_name: user })).toMatchObject({
      id: token.getId(),
      refresh_token: refreshToken,
    })
  },

  async 'fractional-life'({ expect, sdk, ...stage }) {
    const { id, user_name: user } = await stage.saved(stage.person('ann'))
    const store = stage.store({ minTtl: 90.5 })
    expect((await store.findTokenById(id)).getId()).toBe(id)
    expect((await store.findToken(tokenOf(sdk, { user })))?.getId()).toBe(id)
  },

  async 'empty-list'(stage) {
    const { expect, sdk } = stage
    const store = stage.store()
    expect(await store.getTokens()).toEqual([])
    const { id } = await stage.saved(stage.person('ann'))
    const tokens = await store.getTokens()
    expect(tokens.map((token) => token.getId())).toEqual([id])
    expect(tokens[0]).toBeInstanceOf(sdk.OAuthToken)
    await store.deleteTokens()
    expect(await store.getTokens()).toEqual([])
  },

  async 'unknown-id-throws'({ expect, sdk, ...stage }) {
    const failure: unknown = await stage
      .store()
      .findTokenById('unknown')
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(sdk.SDKException)
    expect(failure).toMatchObject({ code: 'TOKEN_STORE' })
  },

  async 'unknown-partial-is-none'({ expect, sdk, ...stage }) {
    const token = tokenOf(sdk, { user: 'nobody' })
    expect(await stage.store().findToken(token)).toBeNull()
    expect(token.getId() ?? null).toBeNull()
  },

  async 'silent-delete'({ expect, ...stage }) {
    const store = stage.store()
    const { id } = await stage.saved(stage.person('ann'))
    await store.deleteToken(id)
    await store.deleteToken(id)
    await store.deleteToken('unknown')
    expect(await stage.client.get(id)).toBeNull()
  },

  async 'cache-dropped'(stage) {
    const { expect } = stage
    const store = stage.store()
    const { id } = await stage.saved(stage.person('ann'))
    const token = await store.findTokenById(id)
    await store.findTokenById(id)
    expect(readsOf(stage, id)).toBe(1)
    token.setRedirectURL('https://app.example/other')
    await store.saveToken(token)
    expect((await store.findTokenById(id)).getRedirectURL()).toBe('https://app.example/other')
    expect(readsOf(stage, id)).toBe(2)
    await store.deleteToken(id)
    await expect(store.findTokenById(id)).rejects.toMatchObject({ code: 'TOKEN_STORE' })
  },

  async revoke({ expect, world, ...stage }) {
    const { id, refresh_token } = await stage.saved(stage.person('ann'))
    await stage.store().revoke(id)
    expect(world.zoho.grants.isLive(refresh_token)).toBe(false)
    expect(await stage.client.get(id)).toBeNull()
  },
}

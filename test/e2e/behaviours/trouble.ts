import { keepCalling, untilItFails } from '../zoho-stage.ts'
import { failureOf, firstLogin, inWorld, nameOf, valueOf } from '../zoho-world.ts'
import type { Behaviours } from './behaviour.ts'

/** What an application meets when the vault is not there for it. */
export const troubleBehaviours: Behaviours = {
  async 'vault-down'({ expect, world: { zoho, settings }, ...stage }) {
    const { user_name: user, refresh_token: refreshToken } = await stage.saved(stage.person('ann'))
    const line = await stage.line()
    await line.refuse()
    const app = stage.application({ url: line.url, retryForMs: 500 })
    const credentials = { clientId: zoho.client.id, clientSecret: zoho.client.secret, refreshToken }
    const failure = failureOf(await app.initialize({ user, ...credentials }))
    expect(failure).toMatchObject({ isSdkException: true, code: 'unreachable' })
    expect(failure.message).toContain(new URL(line.url).origin)
    expect(failure.message).not.toContain(settings.apiKey)
    expect(stage.refreshes(refreshToken)).toEqual([])
  },

  async 'wrong-url'({ expect, world: { settings }, ...stage }) {
    const { id, user_name: user } = await stage.saved(stage.person('ann'))
    const url = `${settings.url}/vault`
    const store = stage.store({ url })
    const app = stage.application({ url })
    const failures = [
      failureOf(await app.initialize({ user })),
      await store.findTokenById(id).catch((error: unknown) => error),
      await store.deleteToken(id).catch((error: unknown) => error),
    ]
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'invalid_answer' })
      expect(failure).toHaveProperty('message', expect.stringContaining(`no route ${url}/v1/tokens/`))
    }
    expect(await stage.client.get(id)).toMatchObject({ id })
  },

  async 'vault-down-cached'({ expect, world: { zoho }, ...stage }) {
    const ann = stage.person('ann', 10)
    const line = await stage.line()
    const app = stage.application({ url: line.url, cacheSeconds: 1, retryForMs: 500 })
    valueOf(await app.initialize(firstLogin(zoho, ann)))
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    await line.refuse()
    const cacheEndsAt = Date.now() + 2_000
    expect(new Set(await keepCalling(app, () => Date.now() > cacheEndsAt))).toEqual(new Set([ann.zgid]))
    const failure = await untilItFails(app)
    expect(failure).toMatchObject({ isSdkException: true, code: 'unreachable' })
    expect(failure.message).toContain(new URL(line.url).origin)
    await line.restore()
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    expect(zoho.count('refresh', 'sdk')).toBe(0)
  },

  async 'vault-slow'({ expect, ...stage }) {
    const { user_name: user, refresh_token } = await stage.saved(stage.person('ann'))
    const line = await stage.line()
    line.stall()
    const app = stage.application({ url: line.url, timeoutMs: 500, retryForMs: 500 })
    const failure = failureOf(await app.initialize({ user }))
    expect(failure).toMatchObject({ isSdkException: true, code: 'timeout' })
    expect(failure.message).toContain(new URL(line.url).origin)
    expect(stage.refreshes(refresh_token)).toEqual([])
  },

  async 'vault-restarting'({ expect, sdkName, ...stage }) {
    await inWorld(3600, async (world) => {
      const ann = stage.person('ann')
      const { url, apiKey } = world.settings
      const app = world.application({ sdk: sdkName, url, apiKey, retryForMs: 120_000 })
      valueOf(await app.initialize(firstLogin(world.zoho, ann)))
      expect(await world.vault.stop()).toBe(0)
      const again = app.initialize({ user: nameOf(ann) })
      await world.startVault()
      valueOf(await again)
      expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
      expect(world.zoho.count('refresh', 'sdk')).toBe(0)
    })
  },
}

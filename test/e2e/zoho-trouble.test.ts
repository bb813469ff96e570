import { afterAll, beforeAll, describe, test } from 'vitest'
import { eventually } from '../support/embedded-processes.ts'
import { SDK_NAMES } from './zoho-sdks.ts'
import { play, untilItFails } from './zoho-stage.ts'
import { createWorld, failureOf, firstLogin, inWorld, nameOf, valueOf } from './zoho-world.ts'
import type { World } from './zoho-world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld(3600)
})

afterAll(async () => {
  await world.close()
})

describe.concurrent.each(SDK_NAMES)('an application with the %s SDK', { timeout: 240_000 }, (sdkName) => {
  test('is told to log in again when the refresh token is dead, after one request and no more', ({
    expect,
  }) =>
    play({ world, sdkName, name: 'dead' }, expect, async ({ client, ...stage }) => {
      const ann = stage.person('ann')
      const { id, user_name: user, refresh_token } = await stage.saved(ann)
      world.zoho.grants.revoke(refresh_token)
      await world.expire(id)
      const app = stage.application({ cacheSeconds: 0 })
      for (let time = 0; time < 3; time += 1) {
        const failure = failureOf(await app.initialize({ user }))
        expect(failure).toMatchObject({ isSdkException: true, code: 'reauth_required' })
        expect(failure.message).toContain('Log in again')
      }
      expect(await client.get(id)).toMatchObject({ status: 'reauth_required' })
      expect(stage.refreshes(refresh_token)).toHaveLength(1)

      expect(valueOf(await app.initialize({ ...firstLogin(world.zoho, ann), user }))).toMatchObject({ id })
      expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
      expect(await client.get(id)).toMatchObject({ status: 'active' })
    }))

  test('goes on with its access token while Zoho’s accounts server is down, and again when it is back', ({
    expect,
  }) =>
    inWorld(10, (brisk) =>
      play({ world: brisk, sdkName, name: 'down' }, expect, async (stage) => {
        const { zoho } = brisk
        const ann = stage.person('ann')
        const app = stage.application({ cacheSeconds: 0 })
        zoho.make('server_error')
        valueOf(await app.initialize(firstLogin(zoho, ann)))
        expect(await untilItFails(app)).toMatchObject({ isSdkException: true, code: 'provider_unavailable' })
        const refusal = zoho.calls.findIndex(({ kind }) => kind === 'refresh')
        const since = zoho.calls.slice(refusal).filter(({ kind }) => kind === 'org')
        expect(new Set(since.map(({ user }) => user))).toEqual(new Set([ann.email]))
        zoho.recover()
        await eventually(async () => 'value' in ((await app.call())[0] ?? {}))
        expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
        expect(zoho.count('refresh', 'sdk')).toBe(0)
      }),
    ))

  test('gets an access token for a user who was saved without one', ({ expect }) =>
    play({ world, sdkName, name: 'imported' }, expect, async ({ client, ...stage }) => {
      const { zoho } = world
      const ann = stage.person('ann')
      const refresh_token = zoho.refreshToken(ann)
      const { id: client_id, secret: client_secret } = zoho.client
      await client.save({
        ...{ client_id, client_secret, refresh_token },
        ...{ user_name: nameOf(ann), api_domain: zoho.url },
      })
      const app = stage.application()
      valueOf(await app.initialize({ user: nameOf(ann) }))
      expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
      expect(stage.refreshes(refresh_token).map(({ by }) => by)).toEqual(['vault'])
    }))
})

import { failureOf, firstLogin, valueOf } from '../zoho-world.ts'
import type { Behaviours } from './behaviour.ts'

const NEEDS_WRITE = 'The API key of this application needs the scope tokens:write.'

/** What an application does whose key may not do everything. */
export const keyBehaviours: Behaviours = {
  async 'use-key'({ expect, useKey, world, ...stage }) {
    const ann = stage.person('ann')
    const { id, user_name, refresh_token } = await stage.saved(ann)
    const app = stage.application({ apiKey: useKey, cacheSeconds: 0 })
    const shown = valueOf(await app.initialize({ user: user_name }))
    expect(shown).toMatchObject({ id, clientSecret: null, grantToken: null, refreshToken: null })
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    await world.expire(id)
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    expect(stage.refreshes(refresh_token).map(({ by }) => by)).toEqual(['vault'])
  },

  async 'use-key-save'({ expect, sdk, useKey, ...stage }) {
    const { id } = await stage.saved(stage.person('ann'))
    const store = stage.store({ apiKey: useKey })
    const token = await store.findTokenById(id)
    await store.saveToken(token)
    token.setAccessToken('a new one')
    const failure: unknown = await store.saveToken(token).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(sdk.SDKException)
    expect((failure as Error).message).toContain('tokens:write')
  },

  async 'save-error-told'({ expect, useKey, world, ...stage }) {
    const app = stage.application({ apiKey: useKey })
    const { message } = failureOf(await app.initialize(firstLogin(world.zoho, stage.person('ann'))))
    expect(message.split(NEEDS_WRITE)).toHaveLength(2)
  },
}

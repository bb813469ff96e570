import { keepCalling } from '../zoho-stage.ts'
import { firstLogin, nameOf, valueOf } from '../zoho-world.ts'
import type { Behaviours } from './behaviour.ts'
import { readsOf } from './store.ts'

const TEN_MINUTES_MS = 600_000

/** What applications do all day long. */
export const applicationBehaviours: Behaviours = {
  async 'order-of-calls'({ expect, world: { zoho }, ...stage }) {
    const [ann, bob] = [stage.person('ann'), stage.person('bob')]
    const app = stage.application()
    const { id } = valueOf(await app.initialize(firstLogin(zoho, ann)))
    expect(await app.storeCalls()).toEqual(['findToken', 'saveToken'])
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    expect(await app.storeCalls()).toEqual(['findTokenById'])
    valueOf(await app.switchUser({ ...firstLogin(zoho, bob), user: nameOf(bob) }))
    expect(await app.storeCalls()).toEqual(['findToken', 'saveToken'])
    expect((await app.call()).map(valueOf)).toEqual([bob.zgid])
    expect(await app.storeCalls()).toEqual(['findTokenById'])
    valueOf(await app.initialize({ id: id ?? '' }))
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    expect(await app.storeCalls()).toEqual(['findTokenById', 'findTokenById'])
  },

  async 'never-refreshes'({ expect, world: { zoho }, ...stage }) {
    const life = 8
    const ann = stage.person('ann', life)
    const app = stage.application()
    const { id } = valueOf(await app.initialize(firstLogin(zoho, ann)))
    const refreshToken = (await stage.client.get(id ?? ''))?.refresh_token ?? ''
    const renewals = () => stage.refreshes(refreshToken)
    const answers = await keepCalling(app, () => renewals().length >= 5)
    expect(new Set(answers)).toEqual(new Set([ann.zgid]))
    expect(renewals().map(({ by }) => by)).toEqual(Array(5).fill('vault'))
    const gaps = renewals().map(({ atMs }, at, all) => atMs - (all[at - 1]?.atMs ?? 0))
    expect(gaps.filter((gapMs) => gapMs < 0.6 * life * 1000)).toEqual([])
    const used = zoho.calls.filter((call) => call.kind === 'org' && call.user === ann.email)
    expect(new Set(used.map(({ token }) => token)).size).toBeGreaterThanOrEqual(5)
  },

  async 'single-flight'({ expect, world, ...stage }) {
    const ann = stage.person('ann')
    const { id, refresh_token } = await stage.saved(ann)
    const app = stage.application({ cacheSeconds: 0 })
    valueOf(await app.initialize({ id }))
    await world.expire(id)
    expect((await app.call(50)).map(valueOf)).toEqual(Array(50).fill(ann.zgid))
    expect(stage.refreshes(refresh_token).map(({ by }) => by)).toEqual(['vault'])
  },

  async restart({ expect, world: { zoho }, ...stage }) {
    const ann = stage.person('ann')
    const first = stage.application()
    const { id } = valueOf(await first.initialize(firstLogin(zoho, ann)))
    await first.stop()
    const refreshToken = (await stage.client.get(id ?? ''))?.refresh_token ?? ''
    const credentials = { clientId: zoho.client.id, clientSecret: zoho.client.secret, refreshToken }
    for (const configured of [{ id: id ?? '' }, { user: nameOf(ann) }, credentials]) {
      const app = stage.application()
      expect(valueOf(await app.initialize(configured))).toMatchObject({ id, user: nameOf(ann) })
      expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
      await app.stop()
    }
    expect(stage.refreshes(refreshToken)).toEqual([])
  },

  async 'two-users'({ expect, world: { zoho }, ...stage }) {
    const [ann, bob] = [stage.person('ann'), stage.person('bob')]
    const app = stage.application()
    valueOf(await app.initialize(firstLogin(zoho, ann)))
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    valueOf(await app.initialize(firstLogin(zoho, bob)))
    expect((await app.call()).map(valueOf)).toEqual([bob.zgid])
    valueOf(await app.initialize({ user: nameOf(ann) }))
    expect((await app.call(5)).map(valueOf)).toEqual(Array(5).fill(ann.zgid))
  },

  async 'two-processes'({ expect, world, ...stage }) {
    const ann = stage.person('ann')
    const { id, user_name, refresh_token } = await stage.saved(ann)
    const apps = [stage.application({ cacheSeconds: 0 }), stage.application({ cacheSeconds: 0 })]
    const tokens = await Promise.all(apps.map((app) => app.initialize({ user: user_name })))
    expect(tokens.map((token) => valueOf(token).id)).toEqual([id, id])
    await world.expire(id)
    const answers = await Promise.all(apps.map((app) => app.call(25)))
    expect(answers.flat().map(valueOf)).toEqual(Array(50).fill(ann.zgid))
    expect(stage.refreshes(refresh_token).map(({ by }) => by)).toEqual(['vault'])
  },

  async 'wrong-clock'({ expect, world: { zoho }, ...stage }) {
    const offsets = [-TEN_MINUTES_MS, TEN_MINUTES_MS]
    const proofs = offsets.map(async (clockOffsetMs) => {
      const ann = stage.person(`ann${clockOffsetMs}`, 8)
      const app = stage.application({ clockOffsetMs })
      const { id } = valueOf(await app.initialize(firstLogin(zoho, ann)))
      const refreshToken = (await stage.client.get(id ?? ''))?.refresh_token ?? ''
      const answers = await keepCalling(app, () => stage.refreshes(refreshToken).length >= 2)
      expect(new Set(answers)).toEqual(new Set([ann.zgid]))
      expect(stage.refreshes(refreshToken, 'sdk')).toEqual([])
    })
    await Promise.all(proofs)
  },

  async cache(stage) {
    const { expect } = stage
    const ann = stage.person('ann')
    const cacheSeconds = 30
    const { id } = await stage.saved(ann)
    const app = stage.application({ cacheSeconds })
    const startedAt = performance.now()
    valueOf(await app.initialize({ id }))
    for (let calls = 0; calls < 1_000; calls += 50) {
      expect((await app.call(50)).map(valueOf)).toEqual(Array(50).fill(ann.zgid))
    }
    const lives = Math.ceil((performance.now() - startedAt) / (cacheSeconds * 1000))
    expect(readsOf(stage, id)).toBeLessThanOrEqual(lives)
  },

  async 'old-refresh-token'({ expect, world, ...stage }) {
    const { zoho } = world
    const ann = stage.person('ann')
    const { refresh_token: old } = await stage.saved(ann)
    const { id, refresh_token: current } = await stage.saved(ann)
    const app = stage.application({ cacheSeconds: 0 })
    const configured = { clientId: zoho.client.id, clientSecret: zoho.client.secret, refreshToken: old }
    expect(valueOf(await app.initialize(configured))).toMatchObject({ id, refreshToken: current })
    await world.expire(id)
    expect((await app.call()).map(valueOf)).toEqual([ann.zgid])
    expect(stage.refreshes(old)).toEqual([])
    expect(stage.refreshes(current).map(({ by }) => by)).toEqual(['vault'])
    for await (const token of stage.client.list()) expect(token.id).toBe(id)
  },
}

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { ZohoCall } from '../support/fake-zoho.ts'
import {
  createWorld,
  expiredToken,
  failureOf,
  firstLogin,
  nameOf,
  refreshesOf,
  valueOf,
} from './zoho-world.ts'
import type { Outcome } from './zoho-application.ts'
import type { Application, World } from './zoho-world.ts'

const person = (name: string, zgid: string) => ({ email: `${name}@example.com`, zgid })

/** Seconds between one call and the next. */
const gapsOf = (calls: ZohoCall[]) =>
  calls.slice(1).map((call, at) => (call.atMs - (calls[at]?.atMs ?? 0)) / 1000)

const failureCodeOf = (outcome: Outcome<unknown>) => ('failure' in outcome ? outcome.failure.code : null)

/** Calls again and again for so long; resolves with what each call brought. */
async function keepCalling(application: Application, seconds: number, everyMs = 250): Promise<string[]> {
  const until = Date.now() + seconds * 1000
  const answers: string[] = []
  while (Date.now() < until) {
    answers.push(valueOf((await application.call())[0]))
    await pause(everyMs)
  }
  return answers
}

describe.concurrent('the real Zoho SDK with its tokens in a vault that renews them', () => {
  const life = 10
  let world: World

  beforeAll(async () => {
    world = await createWorld(life)
  })

  afterAll(async () => {
    await world.close()
  })

  test('logs in by a grant token once, and then calls over three expiries without a token request', async ({
    expect,
  }) => {
    const { zoho, client, application } = world
    const ann = person('ann', '101')
    const app = application()
    const token = valueOf(await app.initialize(firstLogin(zoho, ann)))
    expect(token).toMatchObject({ user: nameOf(ann) })
    const stored = await client.get(token.id ?? '')
    expect(stored).toMatchObject({
      user_name: nameOf(ann),
      access_token: token.accessToken,
      refreshable: true,
    })

    const answers = await keepCalling(app, 3.4 * life)

    const renewals = refreshesOf(zoho, stored?.refresh_token ?? '')
    const calls = zoho.calls.filter((call) => call.kind === 'org' && call.user === ann.email)
    const used = new Set(calls.map((call) => call.token))
    expect(new Set(answers)).toEqual(new Set(['101']))
    expect(renewals.length).toBeGreaterThanOrEqual(3)
    expect(renewals.map((call) => call.by)).toEqual(renewals.map(() => 'vault'))
    // One renewal an expiry: none before most of the life is over, and each but perhaps the last was put to use.
    expect(gapsOf(renewals).filter((gap) => gap < 0.6 * life)).toEqual([])
    expect([renewals.length, renewals.length + 1]).toContain(used.size)
  }, 60_000)

  test('starts again with only the id, only the user or only the refresh token', async ({ expect }) => {
    const { zoho, client, application } = world
    const bob = person('bob', '102')
    const first = application()
    const { id } = valueOf(await first.initialize(firstLogin(zoho, bob)))
    await first.stop()
    const refreshToken = (await client.get(id ?? ''))?.refresh_token ?? ''
    const credentials = { clientId: zoho.client.id, clientSecret: zoho.client.secret }
    for (const configured of [{ id: id ?? '' }, { user: nameOf(bob) }, { ...credentials, refreshToken }]) {
      const app = application()
      expect(valueOf(await app.initialize(configured))).toMatchObject({ id, user: nameOf(bob) })
      expect(valueOf((await app.call())[0])).toBe('102')
      await app.stop()
    }
    expect(refreshesOf(zoho, refreshToken, 'sdk')).toHaveLength(0)
    for await (const token of client.list({ user_name: nameOf(bob) })) expect(token.id).toBe(id)
  })

  test('throws its own exception for an unknown id', async ({ expect }) => {
    const app = world.application()
    const found = failureOf(await app.ask({ ask: 'findTokenById', id: 'unknown' }))
    expect(found).toMatchObject({ isSdkException: true, code: 'TOKEN_STORE' })
    expect(failureOf(await app.initialize({ id: 'unknown' }))).toMatchObject({ isSdkException: true })
  })

  test('is told to log in again when the refresh token is dead, after one request and no more', async ({
    expect,
  }) => {
    const { zoho, client, application } = world
    const dora = person('dora', '104')
    const { id, refreshToken } = await expiredToken(world, dora)
    zoho.grants.revoke(refreshToken)
    const app = application({ cacheSeconds: 0 })
    for (let time = 0; time < 3; time += 1) {
      const failure = failureOf(await app.initialize({ user: nameOf(dora) }))
      expect(failure).toMatchObject({ isSdkException: true, code: 'reauth_required' })
      expect(failure.message).toContain('Log in again')
    }
    expect(await client.get(id)).toMatchObject({ status: 'reauth_required' })
    await pause(3_000)
    expect(refreshesOf(zoho, refreshToken)).toHaveLength(1)

    const again = valueOf(await app.initialize({ ...firstLogin(zoho, dora), user: nameOf(dora) }))
    expect(again.id).toBe(id)
    expect(valueOf((await app.call())[0])).toBe('104')
    expect(await client.get(id)).toMatchObject({ status: 'active' })
  })

  test('gets an access token for a user who was saved without one', async ({ expect }) => {
    const { zoho, client, application } = world
    const emil = person('emil', '105')
    const refreshToken = zoho.refreshToken(emil)
    await client.save({
      ...{ user_name: nameOf(emil), refresh_token: refreshToken, api_domain: zoho.url },
      ...{ client_id: zoho.client.id, client_secret: zoho.client.secret },
    })
    const app = application()
    await app.initialize({ user: nameOf(emil) })
    expect(valueOf((await app.call())[0])).toBe('105')
    expect(refreshesOf(zoho, refreshToken).map((call) => call.by)).toEqual(['vault'])
  })

  test('deletes a token for good', async ({ expect }) => {
    const { zoho, client, application } = world
    const app = application()
    const id = valueOf(await app.initialize(firstLogin(zoho, person('fay', '106')))).id ?? ''
    expect(failureCodeOf(await app.ask({ ask: 'deleteToken', id }))).toBeNull()
    expect(await client.get(id)).toBeNull()
    expect(failureCodeOf(await app.ask({ ask: 'findTokenById', id }))).toBe('TOKEN_STORE')
  })
})

describe.concurrent('the real Zoho SDK in trouble', () => {
  test('makes five calls at once with an expired token: the vault makes one request, the SDK none', async ({
    expect,
  }) => {
    const world = await createWorld(3, { TOKEN_VAULT_REFRESHER: 'off' })
    try {
      const { zoho, application } = world
      const app = application()
      valueOf(await app.initialize(firstLogin(zoho, zoho.user)))
      await pause(3_200)
      const answers = await app.call(5)
      expect(answers.map(valueOf)).toEqual(Array(5).fill(zoho.user.zgid))
      expect(zoho.count('refresh', 'vault')).toBe(1)
      expect(zoho.count('refresh', 'sdk')).toBe(0)
    } finally {
      await world.close()
    }
  })

  test('goes on with its access token while Zoho’s accounts server is down, and again when it is back', async ({
    expect,
  }) => {
    const life = 10
    const world = await createWorld(life)
    try {
      const { zoho, application } = world
      const app = application({ cacheSeconds: 0 })
      zoho.make('server_error')
      valueOf(await app.initialize(firstLogin(zoho, zoho.user)))
      expect(new Set(await keepCalling(app, life - 2))).toEqual(new Set([zoho.user.zgid]))
      await pause(2_500)
      const failure = failureOf((await app.call())[0])
      expect(failure).toMatchObject({ isSdkException: true, code: 'provider_unavailable' })
      zoho.recover()
      expect(await untilItWorks(app)).toBe(zoho.user.zgid)
      expect(zoho.count('refresh', 'sdk')).toBe(0)
    } finally {
      await world.close()
    }
  })

  test('goes on with its access token while the vault is away, then names the vault, then recovers', async ({
    expect,
  }) => {
    const life = 10
    const world = await createWorld(life)
    try {
      const { zoho, settings, application } = world
      const app = application({ cacheSeconds: 1 })
      valueOf(await app.initialize(firstLogin(zoho, zoho.user)))
      valueOf((await app.call())[0])
      expect(await world.vault.stop()).toBe(0)
      expect(new Set(await keepCalling(app, 5))).toEqual(new Set([zoho.user.zgid]))
      await pause(5_000)
      const failure = failureOf((await app.call())[0])
      expect(failure).toMatchObject({ isSdkException: true, code: 'unreachable' })
      expect(failure.message).toContain(settings.url)
      expect(failure.message).not.toContain(settings.apiKey)
      await world.startVault()
      expect(await untilItWorks(app)).toBe(zoho.user.zgid)
      expect(zoho.count('refresh', 'sdk')).toBe(0)
    } finally {
      await world.close()
    }
  })
})

async function untilItWorks(application: Application): Promise<string> {
  for (let left = 20; ; left -= 1) {
    const [outcome] = await application.call()
    if (outcome !== undefined && 'value' in outcome) return outcome.value
    if (left === 0) return failureOf(outcome).message
    await pause(500)
  }
}

import { describe, expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

describe.each([2, 4])('%i replicas', (replicas) => {
  const world = useWorld({
    replicas,
    zoho: { min_interval: 0 },
    acme: { rotates: 'always', min_interval: 0 },
  })
  const vaultOf = (number: number) => world.vaults[number % replicas] ?? world.vault

  /** So many callers at once, spread over the replicas; what they were answered. */
  const callers = (count: number, id: string, forced = false) =>
    Promise.all(
      Array.from({ length: count }, async (_, number) => {
        const vault = vaultOf(number)
        return forced ? world.refresh(id, vault) : world.accessToken(id, vault)
      }),
    )

  test.each([
    ['answers at once', null],
    ['takes its time', { delayMs: 500 }],
  ])(
    'make one request for many callers of one expired token, where the provider %s',
    async (_how, trouble) => {
      if (trouble !== null) world.zoho.make(trouble)
      const { id, access_token } = await world.save(0)
      const answers = await callers(100, id)
      expect(world.requests).toBe(1)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      const tokens = new Set(answers.map(({ body }) => body.access_token))
      expect(tokens.size).toBe(1)
      expect(tokens).not.toContain(access_token)
    },
  )

  test('make one request for many who force it at once', async () => {
    world.zoho.make({ delayMs: 300 })
    const { id } = await world.save(0)
    const answers = await callers(40, id, true)
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.access_token ?? ''}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(200)
    expect(world.requests).toBe(1)
  })

  test('never present a replaced refresh token, however many ask for how long', async () => {
    world.zoho.grants.policy.rotates = true
    const { id } = await world.save(0, { provider: 'acme' })
    for (let round = 0; round < 5; round += 1) {
      await world.expire(id)
      const answers = await callers(24, id)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    }
    expect(new Set(world.zoho.calls.map(({ token }) => token)).size).toBe(world.requests)
    expect(world.requests).toBe(5)
    expect(await world.read(id)).toMatchObject({ status: 'active' })
  })

  test('tell all callers of the one failure', async () => {
    world.zoho.make({ delayMs: 300 })
    const { id } = await world.save(0, { refresh_token: 'unknown-to-the-provider' })
    const answers = await callers(40, id)
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['409 reauth_required']),
    )
    expect(world.requests).toBe(1)
  })
})

describe('3 replicas whose refreshers run', () => {
  const world = useWorld({ replicas: 3, refresher: 'on' })
  const soon = { timeout: 20_000 }

  test('renew 200 due tokens by 200 requests', async () => {
    await Promise.all(Array.from({ length: 200 }, () => world.save(0)))
    const renewed = 'select count(*)::int from tokens where version = 2'
    await expect.poll(() => world.database.query(renewed), soon).toEqual([{ count: 200 }])
    expect(new Set(world.zoho.calls.map(({ token }) => token)).size).toBe(200)
    expect(world.requests).toBe(200)
  })

  test('and callers of the same tokens at the same moment make one request a token', async () => {
    world.zoho.make({ delayMs: 200 })
    for (let round = 0; round < 5; round += 1) {
      world.zoho.calls.length = 0
      const { id } = await world.save(0)
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, number) => world.accessToken(id, world.vaults[number % 3])),
      )
      expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(1)
      expect(answers[0]?.status).toBe(200)
      expect(world.requests).toBe(1)
    }
  })
})

import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ refresher: 'on', acme: { rotates: 'always' } })
const soon = { timeout: 15_000 }

test('a token is renewed before it expires, by nobody asking', async () => {
  const saved = await world.save(3)
  await expect.poll(async () => (await world.read(saved.id)).version, soon).toBe(2)
  const renewed = await world.read(saved.id)
  expect(renewed.access_token).not.toBe(saved.access_token)
  expect(Date.parse(renewed.refreshed_at ?? '')).toBeLessThan(Date.parse(saved.expires_at ?? ''))
  expect(Date.parse(renewed.refresh_due_at ?? '')).toBeLessThan(Date.parse(renewed.expires_at ?? ''))
  expect(world.requests).toBe(1)
})

test('a token of short life is renewed time after time, each time from the newest refresh token', async () => {
  Object.assign(world.zoho.grants.policy, { lifetimeSeconds: 2, rotates: true })
  const { id } = await world.save(1, { provider: 'acme' })
  await expect.poll(async () => (await world.read(id)).version, soon).toBeGreaterThanOrEqual(4)
  expect(await world.read(id)).toMatchObject({ status: 'active' })
})

test('a token whose grant is dead is tried once, while others are renewed', async () => {
  world.zoho.make('invalid_code', 'refresh', 1)
  const dead = await world.save(1)
  await expect.poll(async () => (await world.read(dead.id)).status, soon).toBe('reauth_required')
  for (let round = 0; round < 2; round += 1) {
    const other = await world.save(1)
    await expect.poll(async () => (await world.read(other.id)).version, soon).toBe(2)
  }
  expect(world.zoho.calls.filter(({ token }) => token === dead.refresh_token)).toHaveLength(1)
})

test('a renewal that fails is tried again until it succeeds', async () => {
  world.zoho.make('server_error', 'refresh', 1)
  const { id } = await world.save(1)
  await expect.poll(async () => (await world.read(id)).status, soon).toBe('failing')
  await expect.poll(async () => (await world.read(id)).status, soon).toBe('active')
  expect(world.requests).toBe(2)
})

test('more tokens than there are places are all renewed, once each', async () => {
  const saved = await Promise.all(Array.from({ length: 150 }, () => world.save(0)))
  const renewed = 'select count(*)::int from tokens where version = 2'
  await expect.poll(() => world.database.query(renewed), soon).toEqual([{ count: 150 }])
  expect(new Set(world.zoho.calls.map(({ token }) => token))).toEqual(
    new Set(saved.map((token) => token.refresh_token)),
  )
  expect(world.requests).toBe(150)
})

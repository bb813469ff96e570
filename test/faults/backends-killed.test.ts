import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ replicas: 2, refresher: 'on', acme: { rotates: 'always', min_interval: 0 } })

const ROUNDS = 60
const KILL = `select count(pg_terminate_backend(pid)) from pg_stat_activity
  where datname = current_database() and application_name like 'token-vault%' and random() < 0.3`

test('backends killed at random under load cost 503s, and neither the process nor a token', async () => {
  world.zoho.grants.policy.rotates = true
  const users = Array.from({ length: 8 }, (_, number) => `user-${number}`)
  const tokens = await Promise.all(
    users.map((user_name) => world.save(3600, { provider: 'acme', user_name, api_domain: null })),
  )
  const seen = new Map<number, number>()
  let isOver = false
  const worker = async (number: number) => {
    const { id } = tokens[number % tokens.length] ?? { id: '' }
    const vault = world.vaults[number % world.vaults.length] ?? world.vault
    for (let turn = 0; !isOver; turn += 1) {
      const deeds = [
        () => world.refresh(id, vault),
        () => vault.save({ id, scope: `scope ${turn}` }),
        () => vault.call('GET', '/v1/tokens?limit=5'),
      ]
      const read = () => vault.call('GET', `/v1/tokens/${id}?min_ttl=60`)
      const { status } = await (deeds[turn % 4] ?? read)()
      seen.set(status, (seen.get(status) ?? 0) + 1)
    }
  }
  const work = Promise.all(Array.from({ length: 12 }, (_, number) => worker(number)))
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.database.query(KILL)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  isOver = true
  await work
  expect([...seen.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([])
  expect(seen.get(200)).toBeGreaterThan(0)
  expect(seen.get(503)).toBeGreaterThan(0)
  // The claim of a connection that died is over with its lease.
  await world.database.query(
    `update tokens set lease_until = now() - interval '1 second' where lease_until is not null`,
  )
  for (const { id } of tokens) {
    await world.expire(id)
    await expect.poll(async () => (await world.accessToken(id)).status, { timeout: 20_000 }).toBe(200)
  }
  expect(new Set(world.zoho.calls.map(({ token }) => token)).size).toBe(world.requests)
})

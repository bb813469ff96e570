import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ acme: { rotates: 'always', reuse_grace: 60, min_interval: 0 } })

test('a client that is paused sends nothing but the replay of an answer that was lost, while the grace lasts', async () => {
  world.zoho.grants.policy.rotates = true
  const save = (user_name: string) => world.save(0, { provider: 'acme', user_name, api_domain: null })
  const [lost, refused, other] = [await save('ann'), await save('bob'), await save('carl')]
  world.zoho.make('reset', 'refresh', 1)
  expect((await world.refresh(lost.id)).status).toBe(503)
  world.zoho.make('invalid_client', 'refresh', 1)
  expect((await world.refresh(refused.id)).status).toBe(502)
  await world.database.query('update tokens set retry_at = null')
  expect((await world.accessToken(other.id)).status).toBe(502)
  expect(world.requests).toBe(2)
  expect((await world.accessToken(lost.id)).status).toBe(200)
  expect(world.requests).toBe(3)
})

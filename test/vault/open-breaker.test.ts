import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const world = useWorld({ acme: { rotates: 'always', reuse_grace: 60, min_interval: 0 } })

/** So many in a row open the breaker. */
const FAILURES = 10

test('an answer that was lost is replayed within the grace though the breaker is open, and closes it', async () => {
  world.zoho.grants.policy.rotates = true
  const save = (user_name: string) => world.save(0, { provider: 'acme', user_name, api_domain: null })
  const [lost, waiting] = [await save('ann'), await save('bob')]
  const others = await Promise.all(
    Array.from({ length: FAILURES - 1 }, (_, number) => save(`other-${number}`)),
  )
  world.zoho.make('reset', 'refresh', 1)
  expect((await world.refresh(lost.id)).status).toBe(503)
  world.zoho.make({ status: 503, body: '' })
  for (const { id } of others) expect((await world.refresh(id)).status).toBe(503)
  world.zoho.recover()
  expect((await world.refresh(waiting.id)).status).toBe(503)
  expect(world.requests).toBe(FAILURES)
  await world.database.query('update tokens set retry_at = null')
  expect((await world.accessToken(lost.id)).status).toBe(200)
  expect((await world.accessToken(waiting.id)).status).toBe(200)
  expect(world.requests).toBe(FAILURES + 2)
})

import { afterAll, expect, test } from 'vitest'
import { EchoProvider } from '../support/echo-provider.ts'
import { partOf } from '../support/figures.ts'
import { useWorld } from '../support/renewal-world.ts'

const hanging = await EchoProvider.start(() => 'hang')
const world = useWorld({ refresher: 'on', acme: { token_url: hanging.url, rotates: 'always' } })
// Before the vault stops: it waits for the renewals in flight.
afterAll(() => hanging.close())

/** Of the 32 renewals that a replica may have in flight, one provider has three quarters at most. */
const PLACES_OF_ONE = 24
const OTHERS = 40
/** Of an access token: a fifth of it is the margin. */
const LIFE_SECONDS = 8

test('a provider that hangs takes no more than its places, and the tokens of another one are renewed on time', async () => {
  await Promise.all(Array.from({ length: 60 }, () => world.save(0, { provider: 'acme', api_domain: null })))
  await expect.poll(() => hanging.requests, { timeout: 20_000 }).toBe(PLACES_OF_ONE)
  const saved = await Promise.all(Array.from({ length: OTHERS }, () => world.save(LIFE_SECONDS)))
  await expect.poll(() => world.requests, { timeout: 30_000 }).toBe(OTHERS)
  const claims = await world.database.query<{ id: string; at: Date }>(
    `select token_id as id, at from events where type = 'renewal.claimed' and token_id = any($1)`,
    [saved.map(({ id }) => id)],
  )
  const dueAtMs = new Map(saved.map(({ id, refresh_due_at = '' }) => [id, Date.parse(refresh_due_at)]))
  const delays = claims.map(({ id, at }) => at.getTime() - (dueAtMs.get(id) ?? NaN))
  console.info(
    `claimed ${partOf(delays, 0.5)} ms after falling due in the median, ${partOf(delays, 1)} ms at most`,
  )
  expect(hanging.requests).toBe(PLACES_OF_ONE)
})

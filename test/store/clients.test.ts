import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresStorage, Replica } from '../support/token-storage.ts'
import { openStorage } from '../support/token-storage.ts'

let storage: PostgresStorage
let replica: Replica

beforeAll(async () => {
  storage = await openStorage()
  replica = await storage.replica()
})
afterAll(() => storage.close())

test('a death counts against its client for ten minutes, and the tokens are counted no further than needed', async () => {
  const { id } = await replica.save({ clientId: 'client', refreshToken: 'refresh-1' })
  const claim = await replica.claim(id)
  if (claim === null) throw new Error('the token was not claimed')
  await storage.fill(300)
  for (const died of [1, 2]) {
    expect(await replica.store.countDeath(claim)).toEqual({ died, tokens: 20 * died })
  }
  await storage.database.query(
    `update clients set deaths = array(select at - interval '11 minutes' from unnest(deaths) as at)`,
  )
  expect(await replica.store.countDeath(claim)).toEqual({ died: 1, tokens: 20 })
})

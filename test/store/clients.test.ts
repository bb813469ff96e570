import { expect, test } from 'vitest'
import { useStorage } from '../support/memory-storage.ts'
import { openStorage } from '../support/token-storage.ts'

const the = useStorage(openStorage)

test('a death counts against its client for ten minutes, and the tokens are counted no further than needed', async () => {
  const { id } = await the.replica.save({ clientId: 'client', refreshToken: 'refresh-1' })
  const claim = await the.replica.claim(id)
  if (claim === null) throw new Error('the token was not claimed')
  await the.storage.fill(300)
  for (const died of [1, 2]) {
    expect(await the.replica.store.countDeath(claim)).toEqual({ died, tokens: 20 * died })
  }
  await the.storage.database.query(
    `update clients set deaths = array(select at - interval '11 minutes' from unnest(deaths) as at)`,
  )
  expect(await the.replica.store.countDeath(claim)).toEqual({ died: 1, tokens: 20 })
})

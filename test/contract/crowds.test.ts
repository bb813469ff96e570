import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VaultError } from '../../src/domain/errors.ts'
import type { Token } from '../../src/domain/token.ts'
import type { SaveWords } from '../support/domain.ts'
import { STORAGES } from '../support/memory-storage.ts'
import type { Replica, TokenStorage } from '../support/token-storage.ts'

let storages: { storage: TokenStorage; replica: Replica }[]

beforeAll(async () => {
  storages = []
  for (const [, open] of STORAGES) {
    const storage = await open()
    storages.push({ storage, replica: await storage.replica() })
  }
})
afterAll(() => Promise.all(storages.map(({ storage }) => storage.close())))

/** All but what chance and the clock decide. */
function shown({ userName, clientId, provider, scope, status, version, ...token }: Token) {
  const secrets = [token.clientSecret, token.refreshToken, token.grantToken, token.accessToken]
  return [userName, clientId, provider, scope, status, version, ...secrets.map((secret) => secret?.reveal())]
}

async function outcomeOf(replica: Replica, save: SaveWords): Promise<unknown> {
  try {
    return shown(await replica.save(save))
  } catch (error) {
    if (error instanceof VaultError) return error.code
    throw error
  }
}

const maybe = (...values: string[]) => fc.constantFrom(undefined, ...values)
/** Few of each, so that they meet: one user has up to six tokens. */
const saves = fc.array(
  fc
    .record({
      id: maybe('one', 'two', 'three', 'four', 'five'),
      userName: maybe('ann', 'ann', 'bob'),
      clientId: maybe('a', 'b', 'c', 'd', 'e'),
      clientSecret: maybe('secret'),
      refreshToken: maybe('r1', 'r2', 'r3', 'r4'),
      grantToken: maybe('g1', 'g2'),
      accessToken: maybe('a1', 'a2', 'a3', 'a4', 'a5'),
      scope: maybe('crm', 'books'),
    })
    .map((save) => Object.fromEntries(Object.entries(save).filter(([, value]) => value !== undefined))),
  { minLength: 5, maxLength: 40 },
)

test('a crowd of tokens that share a user is saved to as one or two would be, in Postgres and in the memory', async () => {
  await fc.assert(
    fc.asyncProperty(saves, async (all) => {
      for (const { storage } of storages) await storage.clear()
      for (const save of all) {
        const outcomes = []
        for (const { replica } of storages) outcomes.push(await outcomeOf(replica, save))
        expect(outcomes[0]).toEqual(outcomes[1])
      }
    }),
    { numRuns: 40 },
  )
})

import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { Fleet } from '../support/fleet.ts'
import { RotatingProvider } from '../support/rotating-provider.ts'
import { vaultSettings } from '../support/vault-process.ts'

const TOKENS = Number(process.env['FRESHNESS_TOKENS'] ?? 500)
const SECONDS = Number(process.env['FRESHNESS_SECONDS'] ?? 20)
const LONGEST_LIFE_SECONDS = Number(process.env['FRESHNESS_LONGEST_LIFE'] ?? 60)
const SHORTEST_LIFE_SECONDS = 30
const SAVED_AT_ONCE = 16
const READERS = 4
const READ_EVERY_MS = 10

/** Spread evenly over the families. */
const lifeOf = (family: number) =>
  SHORTEST_LIFE_SECONDS +
  Math.floor(((family * 7_919) % TOKENS) * ((LONGEST_LIFE_SECONDS - SHORTEST_LIFE_SECONDS) / TOKENS))

async function openFleet() {
  const provider = await RotatingProvider.start({ lifetimeSeconds: lifeOf })
  const database = await createTestDatabase()
  const entry = { name: 'acme', token_url: provider.url, rotates: 'always' }
  const settings = await vaultSettings(database.url, [entry], { LOG_LEVEL: 'warn' })
  const fleet = await Fleet.start(settings, 2)
  onTestFinished(async () => {
    await fleet.close()
    await database.drop()
    await provider.close()
  })
  return { provider, fleet }
}

test(
  'whoever reads a token, whenever, finds a tenth of its life left at least, by nobody asking for it',
  async () => {
    const { provider, fleet } = await openFleet()
    const ids: string[] = []
    const saveSome = async () => {
      while (provider.families < TOKENS) {
        const { number, refreshToken } = provider.newFamily()
        const answer = await fleet.call('POST', '/v1/tokens', {
          provider: 'acme',
          client_id: 'client',
          refresh_token: refreshToken,
          access_token: `saved-${number}`,
          expires_in: lifeOf(number),
        })
        ids[number] = ((await answer.json()) as { id: string }).id
      }
    }
    await Promise.all(Array.from({ length: SAVED_AT_ONCE }, saveSome))

    const [endAt, stale] = [performance.now() + SECONDS * 1_000, [] as string[]]
    let [reads, least] = [0, 1]
    const read = async () => {
      while (performance.now() < endAt) {
        const family = Math.floor(Math.random() * TOKENS)
        const answer = await fleet.call('GET', `/v1/tokens/${ids[family] ?? ''}`)
        const { expires_in = -1 } = (await answer.json()) as { expires_in?: number }
        // Whole seconds: there may be nearly another one.
        const share = (expires_in + 1) / lifeOf(family)
        least = Math.min(least, share)
        if (share < 0.1) stale.push(`${expires_in} s of ${lifeOf(family)} s`)
        reads += 1
        await pause(READ_EVERY_MS)
      }
    }
    await Promise.all(Array.from({ length: READERS }, read))
    console.info(
      `${TOKENS} tokens, ${SECONDS} s: ${provider.log.length} renewals, ${reads} reads, ${(least * 100).toFixed(1)} % of the life left at the worst`,
    )
    expect(stale).toEqual([])
  },
  120_000 + (SECONDS + TOKENS / 20) * 1_000,
)

import { expect, test } from 'vitest'
import type { LeftAlone, Provider, Providers } from '../../src/domain/provider.ts'
import type { DueTerms, TokenStore } from '../../src/domain/token-store.ts'
import { createClaiming } from '../../src/vault/claiming.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { createPlaces } from '../../src/vault/places.ts'
import { ACME } from '../support/settling.ts'

const OTHER: Provider = { ...ACME, name: 'other' }
const clock = { monotonicMs: () => 0, sleep: () => Promise.resolve() }

/** A search of a storage in which nothing is due, with four places in all. */
function searching(leftAlone: LeftAlone | null = null) {
  const places = createPlaces(4)
  const asked: DueTerms[][] = []
  const store = { claimDue: (terms: DueTerms[]) => (asked.push(terms), Promise.resolve([])) }
  const providers = {
    all: () => [ACME, OTHER],
    leftAlone: (name: string) => (name === ACME.name ? leftAlone : null),
  }
  const parts = { store: store as Partial<TokenStore> as TokenStore, clock }
  const claiming = createClaiming(
    { ...parts, providers: providers as Partial<Providers> as Providers, headStart: createHeadStart(clock) },
    places,
  )
  return { places, asked, search: () => claiming.due([]) }
}

test('a search that found nothing, with places left for everybody, is not made again at once', async () => {
  const { search } = searching()
  expect(await search()).toEqual({ claimed: [], more: false })
})

test('a search is made again at once while a provider has no place: its tokens may be due', async () => {
  const { search, places, asked } = searching()
  for (let count = 0; count < 3; count += 1) await places.take(ACME.name)
  expect(await search()).toEqual({ claimed: [], more: true })
  expect(asked[0]?.map(({ provider, places: left }) => [provider, left])).toEqual([
    [ACME.name, 0],
    [OTHER.name, 1],
  ])
  places.give(ACME.name)
  expect((await search()).more).toBe(false)
})

test('of a provider that is left alone no more is claimed than may probe, and nothing is searched for in vain', async () => {
  for (const probes of [0, 1]) {
    const { search, asked } = searching({ probes, retryAfterSeconds: 5 })
    expect((await search()).more).toBe(false)
    expect(asked[0]?.map(({ provider, places }) => [provider, places])).toEqual([
      [ACME.name, probes],
      [OTHER.name, 3],
    ])
  }
})

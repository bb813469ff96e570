import { describe, expect, test } from 'vitest'
import type { Provider, Providers, RefreshOutcome } from '../../src/domain/provider.ts'
import type { Claim } from '../../src/domain/renewal.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { TokenRef } from '../../src/domain/token.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { createPlaces } from '../../src/vault/places.ts'
import { createRefresher } from '../../src/vault/refresher.ts'
import { createRenewals } from '../../src/vault/renewals.ts'
import { NOON, tokenOf, ZOHO } from '../support/domain.ts'
import { renewed } from '../support/token-storage.ts'

/** Something that a test lets happen when it wants to. */
function gate<Value>() {
  let open: (value: Value) => void = () => undefined
  const passed = new Promise<Value>((resolve) => (open = resolve))
  return { passed, open }
}

const TOKEN = tokenOf({ id: 'token-1', clientId: 'client', refreshToken: 'refresh-1' })
const CLAIM: Claim = { token: TOKEN, fence: 1, claimedAt: NOON, leaseSeconds: 25, forced: false, pause: null }
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 20))
const clock = { monotonicMs: () => 0, sleep: turn }

/** Renewals over a storage and a provider whose every answer waits for the test. */
function world(most = 8) {
  const [due, answer, stored] = [gate<Claim[]>(), gate<RefreshOutcome>(), gate<null>()]
  const happened: string[] = []
  const busy: TokenRef[][] = []
  const store: Partial<TokenStore> = {
    claimDue: (_terms, options) => {
      busy.push(options.busy)
      happened.push('claim')
      return happened.filter((what) => what === 'claim').length === 1 ? due.passed : Promise.resolve([])
    },
    claim: () => {
      happened.push('claim one')
      return Promise.resolve(CLAIM)
    },
    extend: () => Promise.resolve(),
    settle: async (_claim, { token }) => {
      await stored.passed
      happened.push('stored')
      return token
    },
  }
  const unexpected = () => Promise.reject(new Error('no renewal asks for this'))
  const providers: Providers = {
    find: (): Provider => ZOHO,
    all: () => [ZOHO],
    apiDomains: () => null,
    leftAlone: () => null,
    refresh: () => {
      happened.push('sent')
      return answer.passed
    },
    exchange: unexpected,
    revocation: () => unexpected,
  }
  const silent = () => undefined
  const observer = {
    renewalSettled: silent,
    clientPaused: silent,
    renewalNotStored: silent,
    renewalEndedWithoutOutcome: silent,
    refresherFailed: silent,
  }
  const places = createPlaces(most)
  const renewals = createRenewals({
    store: store as TokenStore,
    providers,
    policy: { marginSeconds: 600, random: () => 0.5 },
    clock,
    observer,
    places,
    headStart: createHeadStart(clock),
  })
  return { due, answer, stored, happened, busy, renewals, places, observer }
}

describe('a stop', () => {
  test('waits for a claim that is being made, and for what comes of it', async () => {
    const { due, answer, stored, happened, renewals } = world()
    void renewals.renewDue()
    const closed = renewals.close().then(() => happened.push('closed'))
    due.open([CLAIM])
    await turn()
    answer.open(renewed('access-2'))
    await turn()
    expect(happened).toEqual(['claim', 'sent'])
    stored.open(null)
    await closed
    expect(happened).toEqual(['claim', 'sent', 'stored', 'closed'])
  })

  test('lets nothing be claimed any more', async () => {
    const { happened, renewals } = world()
    await renewals.close()
    expect(await renewals.renewDue()).toBe(false)
    await expect(renewals.renew(TOKEN, ZOHO, true)).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(happened).toEqual([])
  })
})

test('callers of a token that the refresher renews share its one request', async () => {
  const { due, answer, stored, happened, renewals } = world()
  due.open([CLAIM])
  await renewals.renewDue()
  const callers = [true, false].map((forced) => renewals.renew(TOKEN, ZOHO, forced))
  answer.open(renewed('access-2'))
  stored.open(null)
  const tokens = (await Promise.all(callers)).map((renewal) => renewal?.token.accessToken?.reveal())
  expect(tokens).toEqual(['access-2', 'access-2'])
  expect(happened).toEqual(['claim', 'sent', 'stored'])
})

test('many callers of a token ask the storage once', async () => {
  const { answer, stored, happened, renewals } = world()
  const callers = Array.from({ length: 100 }, () => renewals.renew(TOKEN, ZOHO, false))
  answer.open(renewed('access-2'))
  stored.open(null)
  expect(new Set(await Promise.all(callers)).size).toBe(1)
  expect(happened).toEqual(['claim one', 'sent', 'stored'])
})

test('a token whose answer is not yet stored is named to the storage as busy', async () => {
  const { due, busy, renewals } = world()
  due.open([CLAIM])
  await renewals.renewDue()
  await renewals.renewDue()
  expect(busy).toEqual([[], [TOKEN]])
})

describe('the refresher', () => {
  test('asks for no more than there are free places, and for nothing where there is none', async () => {
    const { due, answer, stored, happened, renewals, places, observer } = world(1)
    due.open([CLAIM])
    const refresher = createRefresher({ renewals, places, clock, observer })
    refresher.start()
    await expect.poll(() => happened).toContain('sent')
    for (let turns = 0; turns < 5; turns += 1) await turn()
    expect(happened).toEqual(['claim', 'sent'])
    answer.open(renewed('access-2'))
    stored.open(null)
    await expect.poll(() => happened.filter((what) => what === 'claim').length).toBeGreaterThan(1)
    refresher.stop()
    await renewals.close()
  })

  test('goes on when the storage fails', async () => {
    let asked = 0
    const renewals = {
      ...world().renewals,
      renewDue: () => {
        asked += 1
        return asked < 3 ? Promise.reject(new Error('away')) : Promise.resolve(false)
      },
    }
    const told: unknown[] = []
    const { places } = world()
    const observer = { ...world().observer, refresherFailed: (error: unknown) => void told.push(error) }
    const refresher = createRefresher({ renewals, places, clock, observer })
    refresher.start()
    await expect.poll(() => asked, { timeout: 5000 }).toBeGreaterThanOrEqual(3)
    refresher.stop()
    expect(told).toHaveLength(2)
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasLife, isLive, nextSlot, refreshDueAt } from '../../src/domain/life.ts'
import { emptyToken, mergeNew, mergeSave } from '../../src/domain/merge.ts'
import { VaultError } from '../../src/domain/errors.ts'
import { bringsToken, matchSave } from '../../src/domain/save.ts'
import type { Provider } from '../../src/domain/provider.ts'
import type { SaveRequest } from '../../src/domain/save.ts'
import type { Token } from '../../src/domain/token.ts'
import { userKeyOf } from '../../src/domain/token.ts'
import { NOON, ZOHO, candidatesOf, inSeconds, saveOf, tokenOf } from '../support/domain.ts'
import type { SaveWords, TokenWords } from '../support/domain.ts'

const context = { now: NOON, provider: ZOHO, policy: { marginSeconds: 600, random: () => 0.5 } }

const few = (...values: string[]) => fc.constantFrom(undefined, ...values)
const instant = fc.integer({ min: -100, max: 10_000 }).map(inSeconds)

/** Saves out of so few values that they meet each other often. */
const saves: fc.Arbitrary<SaveWords> = fc
  .record({
    id: few('a', 'b'),
    provider: few('zoho', 'acme'),
    userName: few('ann', 'Ann', 'bob'),
    clientId: few('app', 'other'),
    clientSecret: few('s1', 's2'),
    grantToken: few('g1', 'g2'),
    refreshToken: few('r1', 'r2', 'r3'),
    accessToken: few('t1', 't2', 't3'),
    scope: few('x', 'y'),
    expiresAt: fc.option(instant, { nil: undefined }),
  })
  .map((words) => Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined)))

/** The stored tokens after a save; as they were where it is refused. */
function after(stored: Token[], request: SaveRequest, nextId: string): Token[] {
  try {
    const match = matchSave(request, candidatesOf(request, stored.map(wordsOf)))
    if (match === null) {
      if (!bringsToken(request)) return stored
      const empty = emptyToken('namespace', request.id ?? nextId, request.provider ?? 'zoho', NOON)
      return [...stored, mergeNew(request, empty, context)]
    }
    const { token } = mergeSave(request, match, context)
    const gone = [match.candidate.token.id, match.absorbed?.token.id]
    return [...stored.filter(({ id }) => !gone.includes(id)), token]
  } catch (error) {
    if (error instanceof VaultError) return stored
    throw error
  }
}

function wordsOf(token: Token): TokenWords {
  const { clientSecret, grantToken, refreshToken, accessToken, ...plain } = token
  return {
    ...plain,
    ...(clientSecret && { clientSecret: clientSecret.reveal() }),
    ...(grantToken && { grantToken: grantToken.reveal() }),
    ...(refreshToken && { refreshToken: refreshToken.reveal() }),
    ...(accessToken && { accessToken: accessToken.reveal() }),
  }
}

const afterAll = (list: SaveWords[]) =>
  list.reduce<Token[]>((stored, save, index) => after(stored, saveOf(save), `new ${index}`), [])

const histories = fc.array(saves, { maxLength: 12 })
const options = { numRuns: 2000 }

test('after any saves, one identity has one token', () => {
  fc.assert(
    fc.property(histories, (list) => {
      const tokens = afterAll(list)
      const users = tokens.flatMap(({ provider, clientId, userName }) =>
        userName === null ? [] : [JSON.stringify([provider, clientId, userKeyOf(userName)])],
      )
      const refreshTokens = tokens.flatMap(({ refreshToken }) => refreshToken?.reveal() ?? [])
      const ids = tokens.map(({ id }) => id)
      for (const values of [users, refreshTokens, ids]) expect(new Set(values).size).toBe(values.length)
    }),
    options,
  )
})

test('a save never changes the provider, the client or the user of a token once they are set', () => {
  fc.assert(
    fc.property(histories, saves, (list, save) => {
      const before = afterAll(list)
      const tokens = new Map(after(before, saveOf(save), 'last').map((token) => [token.id, token]))
      for (const { id, provider, clientId, userName } of before) {
        const token = tokens.get(id)
        if (token === undefined) continue
        expect(token.provider).toBe(provider)
        if (clientId !== null) expect(token.clientId).toBe(clientId)
        if (userName !== null) expect(token.userName).toBe(userName)
      }
    }),
    options,
  )
})

test('the same save again changes nothing', () => {
  fc.assert(
    fc.property(histories, saves, (list, save) => {
      const once = after(afterAll(list), saveOf(save), 'one')
      const twice = after(once, saveOf(save), 'two')
      expect(twice.map(wordsOf)).toEqual(expect.arrayContaining(once.map(wordsOf)))
      expect(twice).toHaveLength(once.length)
    }),
    options,
  )
})

test('the key of a user name is its own key', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(userKeyOf(userKeyOf(name))).toBe(userKeyOf(name))
    }),
    options,
  )
})

test('the key of a user name is the same for every form of its letters and for either case', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z@.:]*$/), (name, ascii) => {
      expect(userKeyOf(name.normalize('NFD'))).toBe(userKeyOf(name.normalize('NFC')))
      expect(userKeyOf(ascii.toUpperCase())).toBe(userKeyOf(ascii))
    }),
    options,
  )
})

const lives = fc.integer({ min: 1, max: 100_000 })
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const renewable = (life: number) =>
  tokenOf({
    id: 'a',
    clientId: 'app',
    refreshToken: 'r',
    accessToken: 't',
    expiresAt: inSeconds(life),
    lifetimeSeconds: life,
  })

test('a renewal falls due before the expiry by the margin or a fifth of the life, and by a tenth more at most', () => {
  fc.assert(
    fc.property(lives, fc.integer({ min: 0, max: 10_000 }), chance, (life, marginSeconds, random) => {
      const due = refreshDueAt(renewable(life), ZOHO, NOON, { marginSeconds, random: () => random })
      const before = life - ((due?.getTime() ?? NaN) - NOON.getTime()) / 1000
      const margin = Math.min(marginSeconds, life / 5)
      expect(before).toBeGreaterThanOrEqual(margin - 0.001)
      expect(before).toBeLessThanOrEqual(margin + life / 10 + 0.001)
    }),
  )
})

test("a renewal never falls due before the provider's limit allows it", () => {
  fc.assert(
    fc.property(lives, fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 }), (life, agos) => {
      const renewals = agos.toSorted((one, other) => other - one).map((ago) => inSeconds(-ago))
      const token = { ...renewable(life), renewals }
      const due = refreshDueAt(token, ZOHO, NOON, context.policy) ?? NOON
      const inWindow = renewals.filter((at) => due.getTime() - at.getTime() < 600_000)
      expect(inWindow.length).toBeLessThan(10)
      expect(nextSlot(renewals, ZOHO, NOON).getTime()).toBeGreaterThanOrEqual(NOON.getTime())
    }),
  )
})

test('nothing falls due that has no refresh token, no client or no consent', () => {
  const token = renewable(1000)
  const hopeless = [{ refreshToken: null }, { clientId: null }, { status: 'reauth_required' as const }]
  for (const lack of hopeless)
    expect(refreshDueAt({ ...token, ...lack }, ZOHO, NOON, context.policy)).toBeNull()
})

test('a token of a provider that is not known yet falls due as one of any other, and at once where nobody knows its life', () => {
  fc.assert(
    fc.property(lives, chance, (life, random) => {
      const dueOf = (token: Token, provider: Provider | null) =>
        refreshDueAt(token, provider, NOON, { marginSeconds: 600, random: () => random })
      expect(dueOf(renewable(life), null)).toEqual(dueOf(renewable(life), ZOHO))
      expect(dueOf({ ...renewable(life), lifetimeSeconds: null, expiresAt: null }, null)).toEqual(NOON)
    }),
  )
})

test('a token has the life asked for, or four fifths of its own, exactly when that much is left', () => {
  fc.assert(
    fc.property(lives, lives, fc.integer({ min: 0, max: 200_000 }), (life, left, minTtl) => {
      const token = { ...renewable(life), expiresAt: inSeconds(left) }
      expect(hasLife(token, NOON, minTtl)).toBe(left >= Math.min(minTtl, life * 0.8))
    }),
  )
})

test('a token without an access token, or with an expired one, has no life at all', () => {
  expect(hasLife({ ...renewable(10), accessToken: null }, NOON, 0)).toBe(false)
  expect(hasLife({ ...renewable(10), expiresAt: NOON }, NOON, 0)).toBe(false)
  expect(isLive({ ...renewable(10), expiresAt: null }, NOON)).toBe(true)
})

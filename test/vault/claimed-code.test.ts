import { expect, test } from 'vitest'
import { VaultError } from '../../src/domain/errors.ts'
import type { CodeClaim } from '../../src/domain/exchange.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { ExchangesParts } from '../../src/vault/exchanges.ts'
import { createExchanges } from '../../src/vault/exchanges.ts'
import type { ExchangeParts, ExchangeTask } from '../../src/vault/trade-code.ts'
import { tradeCode } from '../../src/vault/trade-code.ts'
import { NOON, tokenOf, ZOHO } from '../support/domain.ts'

const code = { namespaceId: 'n', provider: 'zoho', clientId: 'c', grantToken: new Secret('g') }
const task = {
  caller: { namespaceId: 'n', keyId: 'key', scopes: new Set() },
  code: { ...code, clientSecret: null, userName: null },
  provider: ZOHO,
} as unknown as ExchangeTask

/** A claim whose code cannot be looked up again: what became of it. */
async function claimAndFail(uncertain: boolean): Promise<number> {
  const claim: CodeClaim = { code, fence: 1, claimedAt: NOON, uncertain }
  let ended = 0
  const parts = {
    store: { findBy: () => Promise.reject(new VaultError('ambiguous_match', 'two tokens')) },
    codes: {
      end: () => {
        ended += 1
        return Promise.resolve()
      },
    },
    policy: { random: () => 0 },
    clock: { monotonicMs: () => 0, sleep: () => Promise.resolve() },
  } as unknown as ExchangeParts
  await expect(tradeCode(parts, task, claim, 0)).rejects.toMatchObject({ code: 'ambiguous_match' })
  return ended
}

test('a code that was claimed and not sent does not stay claimed', async () => {
  expect(await claimAndFail(false)).toBe(1)
})

test('but that an earlier attempt may have spent it is not forgotten', async () => {
  expect(await claimAndFail(true)).toBe(0)
})

test('who waits for a code has its token as soon as that is stored, though its owner died before it said so', async () => {
  const traded = tokenOf({ id: 'traded', clientId: 'c', grantToken: 'g', accessToken: 'a' })
  let looks = 0
  const parts = {
    store: {
      findBy: () => {
        looks += 1
        return Promise.resolve({ tokens: looks < 5 ? [] : [traded], now: NOON })
      },
    },
    codes: { claim: () => Promise.resolve(null), read: () => Promise.resolve('under_way') },
    providers: { find: () => ZOHO, apiDomains: () => null },
    headStart: { watch: (work: unknown) => work, isOver: () => true },
    policy: { random: () => 0 },
    clock: {
      monotonicMs: () => 0,
      sleep: (_ms: number, signal?: AbortSignal) => (signal ? new Promise(() => undefined) : turn()),
    },
  } as unknown as ExchangesParts
  const exchanged = await createExchanges(parts).exchange(task.caller, task.code)
  expect(exchanged).toMatchObject({ token: { id: 'traded' }, created: false })
})

const turn = () => new Promise((resolve) => setImmediate(resolve))

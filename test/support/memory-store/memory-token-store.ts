import type { Event } from '../../../src/domain/event.ts'
import { checkVersion } from '../../../src/domain/if-version.ts'
import type { TokenStore } from '../../../src/domain/token-store.ts'
import { claimDue, claimOne, countDeath, extendLease } from './claim.ts'
import type { Memory } from './memory.ts'
import { isSameToken, keyOf, later, put, record, rowOf } from './memory.ts'
import { save } from './save.ts'
import { settle } from './settle.ts'

const unsearched = () => Promise.reject(new Error('the memory is not searched'))

/**
 * The token store without a database: what the simulation renews with. Each call happens at one instant. What it
 * promises is what Postgres does, by the suites of `test/contract`, which run on both.
 */
export function createMemoryTokenStore(memory: Memory, owner: string): TokenStore {
  const forget = (ref: { namespaceId: string; id: string }, event: Event) => {
    memory.rows.delete(keyOf(ref))
    record(memory, ref, [event])
  }
  const at = <Result>(effect: () => Result): Promise<Result> =>
    new Promise((resolve) => {
      resolve(effect())
    })
  return {
    findBy: unsearched,
    list: unsearched,
    deleteMany: unsearched,
    get: (ref) =>
      at(() => {
        const row = rowOf(memory, ref)
        return row && { token: row.token, now: memory.now() }
      }),
    save: (namespaceId, request, plan) => at(() => save(memory, namespaceId, request, plan)),
    delete: (ref, event, ifVersion) =>
      at(() => {
        const row = rowOf(memory, ref)
        if (row === null) return false
        checkVersion(row.token.version, ifVersion)
        forget(ref, event)
        return true
      }),
    deleteUntouched: (token, event) =>
      at(() => {
        const stored = rowOf(memory, token)?.token
        if (stored?.version !== token.version || stored.fence !== token.fence) return false
        if (!isSameToken(stored, token)) return false
        forget(token, event)
        return true
      }),
    record: (ref, event) =>
      at(() => {
        record(memory, ref, [event])
      }),
    touch: (ref) =>
      at(() => {
        const row = rowOf(memory, ref)
        const now = memory.now()
        const last = row?.token.lastUsedAt ?? null
        if (row === null || (last !== null && later(last, 3600) > now)) return
        put(memory, { ...row, token: { ...row.token, lastUsedAt: now } })
      }),
    claimDue: (terms, options) => at(() => claimDue(memory, owner, terms, options)),
    claim: (token, terms, options) => at(() => claimOne(memory, owner, token, terms, options)),
    extend: (claim) =>
      at(() => {
        extendLease(memory, claim)
      }),
    countDeath: (claim) => at(() => countDeath(memory, claim)),
    settle: (claim, settlement) => at(() => settle(memory, claim, settlement)),
  }
}

import { expect, test } from 'vitest'
import type { Clock } from '../../src/domain/clock.ts'
import { storageUnavailable, VaultError } from '../../src/domain/errors.ts'
import { MasterKeyError } from '../../src/domain/keyring.ts'
import { createHeadStart } from '../../src/vault/head-start.ts'
import { untilStored } from '../../src/vault/until-stored.ts'

const AWAY = new VaultError('storage_unavailable', 'away')
const LOCKED = storageUnavailable('locked', new MasterKeyError('k2', 'is missing'))
const CONFLICT = new VaultError('conflict', 'owned')

/** Fails with each of these, one after the other, and then stores. */
function failing(...errors: Error[]) {
  const left = [...errors]
  return () => {
    const error = left.shift()
    return error === undefined ? Promise.resolve('stored') : Promise.reject(error)
  }
}

function clockAt(nowMs = { ms: 0 }): Clock {
  return {
    monotonicMs: () => nowMs.ms,
    sleep: () => Promise.resolve(),
  }
}

test('an answer in hand is stored in the end, whatever the storage says meanwhile', async () => {
  const told: unknown[] = []
  const errors = [AWAY, new Error('The server does not support SSL connections'), new TypeError('odd')]
  const stored = untilStored(clockAt(), Math.random, failing(...errors), (error) => told.push(error))
  expect(await stored).toBe('stored')
  expect(told).toEqual(errors)
})

test('it is tried again at once, and then less and less often', async () => {
  const slept: number[] = []
  const clock: Clock = {
    monotonicMs: () => 0,
    sleep(ms) {
      slept.push(ms)
      return Promise.resolve()
    },
  }
  const away = Array.from({ length: 6 }, () => AWAY)
  await untilStored(
    clock,
    () => 0.5,
    failing(...away),
    () => undefined,
  )
  expect(slept).toEqual([75, 150, 300, 600, 750, 750])
})

test('an answer that the vault itself refuses to store is not tried again', async () => {
  const stored = untilStored(clockAt(), Math.random, failing(CONFLICT), () => undefined)
  await expect(stored).rejects.toBe(CONFLICT)
})

test('only a storage that is away gives those with answers in hand a head start', async () => {
  const now = { ms: 0 }
  const headStart = createHeadStart(clockAt(now))
  now.ms = 1_500
  expect(headStart.isOver()).toBe(true)
  for (const error of [CONFLICT, LOCKED])
    await expect(headStart.watch(Promise.reject(error))).rejects.toBe(error)
  expect(headStart.isOver()).toBe(true)
  await expect(headStart.watch(Promise.reject(AWAY))).rejects.toBe(AWAY)
  for (let waited = 0; waited < 12_000; waited += 500) {
    expect(headStart.isOver()).toBe(false)
    now.ms += 500
  }
  expect(headStart.isOver()).toBe(true)
})

test('nor has somebody who wakes up, and knows nothing of the storage meanwhile', () => {
  const now = { ms: 0 }
  const headStart = createHeadStart(clockAt(now))
  const lookAfter = (ms: number) => {
    now.ms += ms
    headStart.look()
    return headStart.isOver()
  }
  expect([lookAfter(1_500), lookAfter(500), lookAfter(20_000)]).toEqual([true, true, false])
  expect([lookAfter(500), lookAfter(1_000)]).toEqual([false, true])
})

test('where nobody looks for what is due, callers may take over however seldom they come', () => {
  const now = { ms: 60_000 }
  const headStart = createHeadStart(clockAt(now))
  now.ms += 60_000
  expect(headStart.isOver()).toBe(true)
})

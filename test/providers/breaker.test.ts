import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { End, Pass } from '../../src/providers/breaker.ts'
import { createBreaker } from '../../src/providers/breaker.ts'

/** A breaker with a clock of its own, and a note of when it opened and closed. */
function setUp(random = () => 0) {
  const told: string[] = []
  const clock = { ms: 0 }
  const breaker = createBreaker({
    monotonicMs: () => clock.ms,
    random,
    onOpen: () => told.push('opened'),
    onClose: () => told.push('closed'),
  })
  const request = (end: End, cannotWait = false) => {
    const pass = breaker.admit(cannotWait)
    pass?.(end)
    return pass !== null
  }
  const fail = (times: number, ...tokens: string[]) => {
    for (let i = 0; i < times; i += 1) request({ failedFor: tokens[i % tokens.length] ?? '' })
  }
  return { breaker, clock, told, request, fail }
}

describe('a breaker', () => {
  test('opens after ten failures in a row of two tokens', () => {
    const { breaker, told, fail } = setUp()
    fail(9, 'a', 'b')
    expect(told).toEqual([])
    fail(1, 'a')
    expect(told).toEqual(['opened'])
    expect(breaker.admit(false)).toBeNull()
  })

  test('counts anew after any answer', () => {
    const { told, request, fail } = setUp()
    fail(9, 'a', 'b')
    request('answered')
    fail(9, 'a', 'b')
    expect(told).toEqual([])
  })

  test('does not count what says nothing of the endpoint', () => {
    const { told, request, fail } = setUp()
    fail(9, 'a', 'b')
    for (let i = 0; i < 20; i += 1) request('undecided')
    expect(told).toEqual([])
    fail(1, 'b')
    expect(told).toEqual(['opened'])
  })

  test('lets one probe pass after each pause, and the pauses grow from 5 to 60 seconds', () => {
    const { clock, request, fail } = setUp()
    fail(10, 'a', 'b')
    const probes: number[] = []
    for (; clock.ms < 300_000; clock.ms += 1000) {
      if (request({ failedFor: 'a' })) probes.push(clock.ms / 1000)
    }
    expect(probes).toEqual([5, 15, 35, 75, 135, 195, 255])
  })

  test('probes up to twice as soon, so that replicas do not probe together', () => {
    const { clock, request, fail } = setUp(() => 0.999)
    fail(10, 'a', 'b')
    clock.ms = 2500
    expect(request('undecided')).toBe(false)
    clock.ms = 2600
    expect(request('undecided')).toBe(true)
  })

  test('takes a probe that was never sent for none', () => {
    const { clock, request, fail } = setUp()
    fail(10, 'a', 'b')
    clock.ms = 5000
    expect(request('undecided')).toBe(true)
    expect(request({ failedFor: 'a' })).toBe(true)
    expect(request({ failedFor: 'a' })).toBe(false)
  })

  test('closes with a probe that is answered, and starts with short pauses when it opens again', () => {
    const { clock, told, request, fail } = setUp()
    fail(10, 'a', 'b')
    clock.ms = 5000
    fail(1, 'a')
    clock.ms = 15_000
    expect(request('answered')).toBe(true)
    expect(told).toEqual(['opened', 'closed'])
    fail(10, 'a', 'b')
    clock.ms = 20_000
    expect(request('answered')).toBe(true)
    expect(told).toEqual(['opened', 'closed', 'opened', 'closed'])
  })

  test('closes with an answer to a request from before, and heeds no failure of one', () => {
    const { breaker, clock, told, request, fail } = setUp()
    const late = [breaker.admit(false), breaker.admit(false)]
    fail(10, 'a', 'b')
    late[0]?.({ failedFor: 'a' })
    clock.ms = 5000
    const probe = breaker.admit(false)
    expect(probe).not.toBeNull()
    late[1]?.('answered')
    expect(told).toEqual(['opened', 'closed'])
    expect(request('answered')).toBe(true)
  })
})

describe('a request that cannot wait', () => {
  test('passes an open breaker, and closes it with an answer', () => {
    const { told, request, fail } = setUp()
    fail(10, 'a', 'b')
    expect(request('answered', true)).toBe(true)
    expect(told).toEqual(['opened', 'closed'])
    expect(request('answered')).toBe(true)
  })

  test('brings no news with a failure: the pause goes on', () => {
    const { clock, request, fail } = setUp()
    fail(10, 'a', 'b')
    for (; clock.ms < 5000; clock.ms += 1000) {
      expect(request({ failedFor: 'a' }, true)).toBe(true)
      expect(request('answered')).toBe(false)
    }
    expect(request('answered')).toBe(true)
  })

  test('is the probe where one is due, and passes while another one is under way', () => {
    const { breaker, clock, request, fail } = setUp()
    fail(10, 'a', 'b')
    clock.ms = 5000
    const probe = breaker.admit(true)
    expect(request('answered')).toBe(false)
    expect(request({ failedFor: 'a' }, true)).toBe(true)
    probe?.({ failedFor: 'b' })
    clock.ms = 14_000
    expect(request('answered')).toBe(false)
  })

  test('counts as any other while the breaker is closed', () => {
    const { told, request } = setUp()
    for (let i = 0; i < 10; i += 1) request({ failedFor: `${i}` }, true)
    expect(told).toEqual(['opened'])
  })
})

describe('whatever happens', () => {
  type Step =
    | { kind: 'admit' }
    | { kind: 'wait'; ms: number }
    | { kind: 'end'; index: number; end: 'answered' | 'undecided' | 'failed'; token: string }

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ kind: 'admit' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        index: fc.nat(20),
        end: fc.oneof(
          { weight: 12, arbitrary: fc.constant('failed' as const) },
          { weight: 1, arbitrary: fc.constantFrom('answered' as const, 'undecided' as const) },
        ),
        token: fc.constantFrom('a', 'b', 'c'),
      }),
    },
  )
  const steps = fc.array(step, { minLength: 50, maxLength: 200 })

  /** Runs the steps and looks at the breaker from outside after each. */
  function walk(script: Step[], random: () => number, tokenOf: (token: string) => string) {
    const { breaker, clock, told } = setUp(random)
    const isOpen = () => told.at(-1) === 'opened'
    const inFlight: { pass: Pass; probe: boolean }[] = []
    const probes: { atMs: number; openings: number }[] = []
    for (const now of script) {
      if (now.kind === 'wait') clock.ms += now.ms
      if (now.kind === 'admit') {
        const probe = isOpen()
        const pass = breaker.admit(false)
        if (!probe) expect(pass).not.toBeNull()
        if (pass === null) continue
        inFlight.push({ pass, probe })
        expect(inFlight.filter((request) => request.probe).length).toBeLessThanOrEqual(1)
        if (probe) probes.push({ atMs: clock.ms, openings: told.length })
      }
      if (now.kind === 'end' && inFlight.length > 0) {
        const [request] = inFlight.splice(now.index % inFlight.length, 1)
        const end = now.end === 'failed' ? { failedFor: tokenOf(now.token) } : now.end
        request?.pass(end)
        if (end === 'answered') expect(isOpen()).toBe(false)
        if (end === 'undecided' && request?.probe === true) probes.pop()
      }
    }
    return { told, probes }
  }

  const random = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))
  const drawn = (values: Iterator<number>) => () => Number(values.next().value)

  test('there is one probe at a time, at most one a pause, and none needed after an answer', () => {
    fc.assert(
      fc.property(steps, random, (script, values) => {
        const { probes } = walk(script, drawn(values), (token) => token)
        for (const [index, probe] of probes.entries()) {
          const before = probes[index - 1]
          if (before?.openings !== probe.openings) continue
          expect(probe.atMs - before.atMs).toBeGreaterThanOrEqual(2500)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('one bad token alone never opens it', () => {
    fc.assert(
      fc.property(steps, random, (script, values) => {
        expect(walk(script, drawn(values), () => 'bad').told).toEqual([])
      }),
    )
  })
})

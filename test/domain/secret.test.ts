import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'

test('what is sealed is opened when it is asked for, and once', () => {
  let opened = 0
  const secret = new Secret(() => `value-${(opened += 1)}`)
  expect(opened).toBe(0)
  expect([secret.reveal(), secret.reveal()]).toEqual(['value-1', 'value-1'])
  expect(secret.equals(new Secret('value-1'))).toBe(true)
  expect(opened).toBe(1)
})

test('what does not open is tried again', () => {
  const answers = [new Error('locked'), 'value']
  const secret = new Secret(() => {
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return answer ?? 'exhausted'
  })
  expect(() => secret.reveal()).toThrow('locked')
  expect(secret.reveal()).toBe('value')
})

test.each(['sealed', 'open'])('a secret that is %s shows nowhere', (state) => {
  const secret = new Secret(() => 'canary')
  if (state === 'open') secret.reveal()
  const shown = [
    JSON.stringify({ secret }),
    String(secret),
    inspect({ secret }, { showHidden: true, depth: 9 }),
  ]
  for (const text of shown) {
    expect(text).toContain('[secret]')
    expect(text).not.toContain('canary')
  }
})

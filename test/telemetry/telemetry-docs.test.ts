import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OPENED } from '../../src/telemetry/audit-line.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const cwd = new URL('../../', import.meta.url)
const sources = globSync('src/**/*.ts', { cwd }).map(textOf).join('\n')
const operate = textOf('docs/operate.md')

const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = '']) => name)
/** What stands as code in the first column of the tables, where that begins with code. */
const firstColumn = (text: string) =>
  found(text, /^\| (`[^|]*)\|/gm).flatMap((cell) => found(cell, /`([^`]*)`/g))

it('docs/operate.md names each metric of ours, and no other', async () => {
  const counted = found(await createMetrics().text(), /^# TYPE (token_vault_\w+) /gm)
  expect(counted.length).toBeGreaterThan(0)
  expect([...new Set(found(operate, /`(token_vault_\w+)/g))].sort()).toEqual(counted.sort())
})

it('docs/operate.md explains each warning and each error of the log, and no message that there is not', () => {
  const logged = found(sources, /\.(?:warn|error|fatal)\([^"'()]*?,\s*["']([^"']*)/g)
  expect(logged.length).toBeGreaterThan(0)
  const explained = firstColumn(operate.slice(operate.indexOf('| `msg`'), operate.indexOf('\n### ')))
  // `an exchange …` stands for all that begins so.
  const isTold = (message: string) =>
    explained.some((msg) => (msg.endsWith('…') ? message.startsWith(msg.slice(0, -1)) : message === msg))
  expect(logged.filter((message) => !isTold(message))).toEqual([])
  const [, ...messages] = explained
  expect(messages.filter((msg) => !sources.includes(msg.split('…')[0] ?? msg))).toEqual([])
})

it('docs/audit.md explains each action, once', () => {
  const actions = found(textOf('src/domain/audit.ts'), /^ {2}\| '(.*)'$/gm)
  expect(actions.length).toBeGreaterThan(0)
  const explained = firstColumn(textOf('docs/audit.md')).filter((name) => name.includes('.'))
  expect(explained.sort()).toEqual([...actions, OPENED].sort())
})

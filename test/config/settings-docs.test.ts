import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { settingsRead } from '../support/settings-read.ts'

const text = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')
const rows = text.split('\n').flatMap((line) => {
  const [, name, , fallback = ''] = line.split('|').map((cell) => cell.trim())
  return name?.startsWith('`') ? [{ name: name.replaceAll('`', ''), fallback }] : []
})

it('docs/settings.md explains each variable that the code reads, and no other', () => {
  expect(rows.map(({ name }) => name).sort()).toEqual([...settingsRead()].sort())
  const mentioned = text.match(/`(?:[A-Z]+_)+[A-Z]+(?=`|=)/g) ?? []
  expect(mentioned.map((name) => name.slice(1)).filter((name) => !settingsRead().has(name))).toEqual([])
})

it('docs/settings.md gives the defaults that hold', () => {
  const { host, port, dataDir, refreshMarginSeconds, refreshConcurrency, eventsDays, logLevel } = readConfig(
    {},
  )
  const defaults = Object.fromEntries(
    rows.map(({ name, fallback }) => [name, /`([^`]*)`/.exec(fallback)?.[1]]),
  )
  expect(defaults).toMatchObject({
    HOST: host,
    PORT: String(port),
    TOKEN_VAULT_DATA_DIR: dataDir,
    TOKEN_VAULT_REFRESH_MARGIN: String(refreshMarginSeconds),
    TOKEN_VAULT_REFRESH_CONCURRENCY: String(refreshConcurrency),
    TOKEN_VAULT_REFRESHER: 'on',
    TOKEN_VAULT_EVENTS_DAYS: String(eventsDays),
    LOG_LEVEL: logLevel,
  })
})
